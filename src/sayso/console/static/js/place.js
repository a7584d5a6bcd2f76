// Where the console and the API are on their host: this file is in CONSOLE/static/VERSION/js.
const here = new URL("../../..", import.meta.url);
export const CONSOLE = here.pathname.replace(/\/$/, "");
export const API = CONSOLE.replace(/\/console$/, "/v1");
