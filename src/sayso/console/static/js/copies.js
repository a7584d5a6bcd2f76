// One picture of Publish, before and after: its heads, why each is covered or not, and what to do.
import { say } from "./ask.js";
import { boxesOf, marking } from "./marking.js";
import { button, element, viewer } from "./viewer.js";
import { trouble } from "./work.js";

/** Heads that overlap so much, as intersection over union, are the same. */
const SAME = 0.5;

/** Whether the copy of an item is as it is wanted now, with all that was decided by hand. */
export function isReady(item) {
  const { copy } = item;
  return item.state === "done" && copy?.asked === item.asked && copy.overrides === item.overrides;
}

/** What is shown of an item: what went wrong, and the last copy that was made of it. */
export function copyView(item, line) {
  const { copy } = item;
  const heading = Object.assign(element("h2"), { textContent: item.name });
  const problem = trouble(item, line, undoing(item, line));
  const shown = [heading, problem].filter(Boolean);
  if (!copy) return shown;
  item.before ??= URL.createObjectURL(item.file);
  item.memory ??= {};
  const list = headList(item, line);
  const boxes = boxesOf(copy.manifest);
  const cover = (box) => decide(item, line, [...item.overrides, { deed: "cover", box }]);
  return [...shown, asOf(item), viewer({
    url: copy.url, name: item.name, boxes, list, filter: false, memory: item.memory,
    tools: [beforeAfter(item), ...(isReady(item) ? [saveLink(copy)] : []), ...marking(copy.manifest, boxes, cover)],
    // Whoever clicks a head wants to do something about it: Enter does.
    chosen: (number) => list.querySelector(`[data-face="${number}"] button.act`)?.focus({ preventScroll: true }),
  })];
}

/** What the copy was made for, and whether another is on its way. */
function asOf(item) {
  const { purpose, style, thorough } = item.copy.manifest;
  const told = [say("publish.view.as_of", { purpose, style: say(`publish.styles.${style}`) })];
  for (const notice of item.copy.manifest.notices) told.push(say("publish.view.notice", { notice }));
  if (thorough) told.push(say("publish.view.thorough"));
  if (!isReady(item)) {
    told.push(say(item.state === "waiting" || item.state === "working" ? "publish.view.making" : "publish.view.earlier"));
  }
  return Object.assign(element("p", { class: "muted small-text" }), { textContent: told.join(" ") });
}

function beforeAfter(item) {
  const set = element("fieldset");
  set.append(Object.assign(element("legend", { class: "visually-hidden" }), { textContent: say("publish.view.which") }));
  for (const [word, url] of [["after", item.copy.url], ["before", item.before]]) {
    const label = element("label");
    const radio = element("input", { type: "radio", name: "which", value: word });
    radio.checked = word === "after";
    radio.addEventListener("change", () => { set.closest(".viewer").querySelector(".stage img").src = url; });
    label.append(radio, say(`publish.view.${word}`));
    set.append(label);
  }
  return set;
}

function saveLink(copy) {
  const link = element("a", { href: copy.url, download: copy.name.split("/").pop() });
  link.textContent = say("publish.view.save");
  link.addEventListener("click", () => { copy.taken = true; });
  return link;
}

function headList(item, line) {
  const { faces } = item.copy.manifest;
  const root = element("div", { class: "faces" });
  const counts = element("p", { class: "counts" });
  const strong = element("strong");
  strong.textContent = say("publish.view.heads", { count: faces.length });
  counts.append(strong, `: ${say("publish.state.ready", item.copy.manifest)}`);
  const hint = element("p", { class: "muted small-text" });
  hint.textContent = say(faces.length ? "publish.view.second_look" : "publish.view.none");
  const list = element("ol", { class: "face-list" });
  faces.forEach((face, index) => list.append(head(item, line, face, String(index + 1))));
  root.append(counts, hint, list);
  return root;
}

function head(item, line, face, number) {
  const entry = element("li", { "data-face": number, class: face.covered ? "covered" : "named" });
  const pick = element("button", { type: "button", class: "face", "aria-pressed": "false" });
  const who = Object.assign(element("span", { class: "who-is" }), {
    textContent: face.subject ?? say(face.score === null ? "publish.head.place" : "publish.head.number", { number }),
  });
  const mine = item.overrides.find((each) => overlap(each.box, face.box) > SAME);
  const pending = mine && !item.copy.overrides.includes(mine);
  const tag = Object.assign(element("span", { class: `tag ${face.covered ? "unknown" : "named"}` }), {
    textContent: say(pending ? `publish.head.will_${mine.deed}` : face.covered ? "publish.head.covered" : "publish.head.kept"),
  });
  pick.append(who, tag);
  const why = Object.assign(element("p", { class: "chance" }), { textContent: say(`publish.reason.${face.reason}`) });
  const acts = element("p", { class: "acts" });
  const word = mine ? "undo" : face.covered ? "uncover" : "cover";
  const act = button(say(`publish.head.${word}`), () => override(item, line, face, mine), "small outline act");
  act.setAttribute("aria-label", `${act.textContent}: ${who.textContent}`);
  acts.append(act);
  entry.append(pick, why, acts);
  return entry;
}

// --- the second look ------------------------------------------------------------------------------

function decide(item, line, overrides) {
  item.overrides = overrides;
  line.again(item);
}

async function override(item, line, face, mine) {
  if (!mine && face.covered && !(await confirmed())) return;
  const more = mine ? [] : [{ deed: face.covered ? "uncover" : "cover", box: face.box }];
  decide(item, line, [...item.overrides.filter((each) => each !== mine), ...more]);
}

/** The button that takes back what the last copy was not made with, or all that was refused. */
function undoing(item, line) {
  const { copy } = item;
  const further = copy && copy.overrides !== item.overrides;
  if (!further && (item.state !== "failed" || item.overrides.length === 0)) return [];
  return [button(say("publish.view.undo_all"), () => {
    item.overrides = further ? copy.overrides : [];
    if (further && copy.asked === item.asked) line.restore(item);
    else line.again(item);
  })];
}

function confirmed() {
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    dialog.returnValue = "no";
    const answer = (event) => {
      const pressed = event.target.closest("button[value]");
      if (pressed) dialog.close(pressed.value);
    };
    dialog.addEventListener("click", answer);
    dialog.addEventListener("close", () => {
      dialog.removeEventListener("click", answer);
      resolve(dialog.returnValue === "yes");
    }, { once: true });
    dialog.showModal();
  });
}

function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(0, width) * Math.max(0, height);
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return shared / (area(a) + area(b) - shared);
}
