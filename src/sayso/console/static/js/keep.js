// A page that holds something which would be lost: a warning before it is left, and its session kept.
import { ask } from "./ask.js";
import { CONSOLE } from "./place.js";

/** How often the service is told that somebody is still there; a session ends after an idle hour. */
const EVERY = 10 * 60 * 1000;

/**
 * `holds()` tells whether there is anything to keep the session for: it lasts as long as somebody
 * uses the page. `unsaved()` tells whether something would be lost with it.
 */
export function keep({ holds, unsaved = () => false }) {
  window.addEventListener("beforeunload", (event) => {
    if (unsaved()) event.preventDefault();
  });
  let active = false;
  for (const kind of ["pointerdown", "keydown", "wheel"]) {
    document.addEventListener(kind, () => { active = true; }, { passive: true });
  }
  setInterval(() => {
    // Nobody there: the session ends as it should.
    if (active && holds()) ask(`${CONSOLE}/look`, { patience: 0 }).catch(() => {});
    active = false;
  }, EVERY);
}
