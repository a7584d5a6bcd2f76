// Look: pictures go to the server one after the other; each comes back as a part of this page.
import { ask, elements, say } from "./ask.js";
import { onPictures, path } from "./drop.js";
import { keep } from "./keep.js";
import { CONSOLE } from "./place.js";
import { element, viewer } from "./viewer.js";
import { Line, itemsOf, showInQueue, trouble } from "./work.js";

const form = document.getElementById("looking");
const sight = document.getElementById("sight");
const again = document.getElementById("changed");
let current = null;

// An item has `asked`, what was chosen when it came in, and `seen`, what was found, as of what.
async function look(item, signal) {
  const { asked } = item;
  const body = new FormData();
  for (const [name, value] of Object.entries({ ...asked, do: "picture" })) body.set(name, value);
  body.set("picture", item.file, item.file.name);
  const response = await ask(`${CONSOLE}/look`, { method: "POST", body, signal });
  const html = await response.text();
  item.seen = { asked, part: [...elements(html)].find((each) => each.dataset) };
}

function changed(item) {
  showInQueue(item, show);
  item.row.state.textContent = stateOf(item);
  offer();
  const settled = item.state !== "waiting" && item.state !== "working";
  if (settled && (current === null || item === current)) show(item);
}

function stateOf(item) {
  if (item.state === "done") {
    const { faces, named } = item.seen.part.dataset;
    const found = say("look.progress.faces", { count: Number(faces) });
    return item.asked.collection
      ? `${found}, ${say("look.progress.named", { named: Number(named) })}` : found;
  }
  return item.state === "working" ? "…" : say(`look.state.${item.state}`);
}

const chosen = () => Object.fromEntries(new FormData(form));
const isAsChosen = (item) => JSON.stringify(item.asked) === JSON.stringify(chosen());

/** Offer to look again where something else is chosen now: whoever did not mean it searched nobody. */
function offer() {
  again.hidden = line.items.every(isAsChosen);
}

function show(item) {
  current = item;
  for (const each of line.items) each.row?.button.setAttribute("aria-current", String(each === item));
  const heading = Object.assign(element("h2"), { textContent: item.name });
  sight.replaceChildren(...[heading, trouble(item, line)].filter(Boolean));
  if (!item.seen) return;
  const { asked, part } = item.seen;
  const how = form.elements.mode.querySelector(`option[value="${asked.mode}"]`)?.textContent ?? "";
  const asOf = element("p", { class: "muted small-text" });
  asOf.textContent = say(asked.collection ? "look.as_of.named" : "look.as_of.faces", { purpose: asked.purpose, how });
  item.url ??= URL.createObjectURL(item.file);
  item.memory ??= {};
  sight.append(asOf, viewer({
    url: item.url,
    name: item.name,
    // The viewer takes them into itself; the picture may be shown again.
    boxes: part.querySelector("svg.boxes").cloneNode(true),
    list: part.querySelector(".faces").cloneNode(true),
    filter: Boolean(asked.collection),
    memory: item.memory,
  }));
}

const line = new Line({ work: look, changed, words: "look.progress" });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", offer);
document.getElementById("look-again").addEventListener("click", () => {
  if (!form.reportValidity()) return;
  const asked = chosen();
  for (const item of line.items) item.asked = asked;
  line.again(...line.items);
  offer();
});
onPictures((files) => {
  if (!form.reportValidity()) return;
  const asked = chosen();
  line.add(itemsOf(files, path).map((item) => ({ ...item, asked })));
});
keep({ holds: () => line.items.length > 0 });
