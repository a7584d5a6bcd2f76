// Taking the copies away: all in one archive, and apart from it the list of what was covered and why.
import { say } from "./ask.js";
import { isReady } from "./copies.js";
import { element } from "./viewer.js";
import { downloadZip } from "../vendor/client-zip/index.js";

const KEPT_FOR = 60_000;

/** Let the copies of a line be saved. Those that are not as they are wanted are left out. */
export function taken(line) {
  document.getElementById("download").addEventListener("click", async () => {
    const ready = line.items.filter(isReady).map((each) => each.copy);
    const files = ready.map((each) => ({ name: each.name, input: each.blob, lastModified: new Date() }));
    const name = say("publish.archive");
    save(await downloadZip(files).blob(), name);
    ready.forEach((each) => { each.taken = true; });
    const left = line.items.length - ready.length;
    tell(say("publish.saved", { count: ready.length, name }), left > 0 && say("publish.left_out", { count: left }));
  });
  document.getElementById("list").addEventListener("click", () => {
    const pictures = line.items.filter(isReady).map((each) => each.copy.manifest);
    const name = say("publish.list_file");
    save(new Blob([`${JSON.stringify({ pictures }, null, 1)}\n`], { type: "application/json" }), name);
    tell(say("publish.list_saved", { name }));
  });
}

function tell(...told) {
  document.getElementById("saved").textContent = told.filter(Boolean).join(" ");
}

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_FOR);
}
