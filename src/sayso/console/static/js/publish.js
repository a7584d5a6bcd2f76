// Publish: each picture goes to the API, and comes back covered, with a list of what was and why.
import { taken } from "./archive.js";
import { ask, say } from "./ask.js";
import { copyView, isReady } from "./copies.js";
import { onPictures, path } from "./drop.js";
import { keep } from "./keep.js";
import { API } from "./place.js";
import { Line, itemsOf, showInQueue } from "./work.js";

const form = document.getElementById("publishing");
const sight = document.getElementById("sight");
const SUFFIXES = { "image/jpeg": ["jpg", "jpeg"], "image/png": ["png"], "image/webp": ["webp"], "image/tiff": ["tif", "tiff"], "image/avif": ["avif"], "image/bmp": ["bmp"] };
/** What browsers do not show: the copy is a JPEG, so that it can be looked over. */
const NOT_SHOWN = /\b(tiff?|hei[cf])$/i;
let current = null;

// An item has `asked`, what was chosen when it came in, and `overrides`, what was decided by hand.
// Both are replaced when they change and never changed themselves, so that its `copy`, which holds
// those that it was made with, can be told from one that is as it is wanted now.
async function cover(item, signal) {
  const { asked, overrides } = item;
  const { collection, ...choices } = asked;
  const query = new URLSearchParams(choices);
  if (NOT_SHOWN.test(item.file.type) || NOT_SHOWN.test(item.file.name)) query.set("format", "jpeg");
  for (const each of overrides) query.append(each.deed, each.box.map((side) => side.toFixed(2)).join(","));
  const url = `${API}/collections/${encodeURIComponent(collection)}/redact?${query}`;
  const headers = { "content-type": "application/octet-stream", accept: "application/json" };
  const response = await ask(url, { method: "POST", body: item.file, headers, signal });
  const { data, ...manifest } = await response.json();
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const blob = new Blob([bytes], { type: manifest.media_type });
  const name = copyName(item, manifest.media_type);
  if (item.copy) URL.revokeObjectURL(item.copy.url);
  item.copy = {
    asked, overrides, blob, name,
    url: URL.createObjectURL(blob),
    manifest: { ...manifest, picture: item.name, file: name },
  };
}

/** The name of the copy: that of the picture, with the suffix of what it was written as. */
function copyName(item, type) {
  const suffixes = SUFFIXES[type] ?? ["jpg"];
  const dot = item.name.lastIndexOf(".");
  const [stem, suffix] = dot > 0 ? [item.name.slice(0, dot), item.name.slice(dot + 1)] : [item.name, ""];
  const end = suffixes.includes(suffix.toLowerCase()) ? suffix : suffixes[0];
  const others = new Set(line.items.filter((each) => each !== item).map((each) => each.copy?.name));
  let name = `${stem}.${end}`;
  for (let number = 2; others.has(name); number += 1) name = `${stem} (${number}).${end}`;
  return name;
}

function changed(item) {
  showInQueue(item, show);
  item.row.state.textContent = item.state === "done" ? say("publish.state.ready", item.copy.manifest)
    : item.state === "working" ? "…" : say(`publish.state.${item.state}`);
  count();
  const settled = item.state !== "waiting" && item.state !== "working";
  if (item === current ? item.state !== "working" : current === null && settled) show(item);
}

/** What all the copies together have, and how many are not as they are wanted yet. */
function count() {
  const ready = line.items.filter(isReady);
  const sum = (name) => ready.reduce((total, each) => total + each.copy.manifest[name], 0);
  document.getElementById("results").hidden = !line.items.some((each) => each.copy);
  for (const id of ["download", "list"]) document.getElementById(id).disabled = ready.length === 0;
  const totals = ready.length > 0 && say("publish.totals", {
    covered: sum("covered"), kept: sum("kept"),
    pictures: say("publish.progress.pictures", { count: ready.length }),
    purpose: [...new Set(ready.map((each) => each.copy.manifest.purpose))].join(", "),
    style: [...new Set(ready.map((each) => say(`publish.styles.${each.copy.manifest.style}`)))].join(", "),
  });
  const left = line.items.length - ready.length;
  const told = [totals, left > 0 && say("publish.left_out", { count: left })];
  document.getElementById("totals").textContent = told.filter(Boolean).join(" ");
}

function show(item) {
  const focused = document.activeElement?.closest?.("[data-face]")?.dataset.face;
  current = item;
  for (const each of line.items) each.row?.button.setAttribute("aria-current", String(each === item));
  sight.replaceChildren(...copyView(item, line));
  if (focused) sight.querySelector(`li[data-face="${focused}"] button.act`)?.focus();
}

const chosen = () => Object.fromEntries(new FormData(form));

/** Have all pictures as it is chosen now: an archive is for one purpose, and covered in one style. */
function settle() {
  const asked = chosen();
  const before = line.items[0]?.asked;
  if (!before || JSON.stringify(before) === JSON.stringify(asked)) return before ?? asked;
  // Whoever was uncovered was so for the other purpose.
  const still = (each) => each.deed === "cover" || before.purpose === asked.purpose;
  const told = [say("publish.all_again", { purpose: asked.purpose, style: say(`publish.styles.${asked.style}`) })];
  if (!line.items.every((item) => item.overrides.every(still))) told.push(say("publish.covered_again"));
  for (const item of line.items) {
    item.asked = asked;
    if (!item.overrides.every(still)) item.overrides = item.overrides.filter(still);
  }
  document.getElementById("saved").textContent = told.join(" ");
  line.again(...line.items.filter((each) => each.state !== "cancelled"));
  return asked;
}

const line = form && new Line({ work: cover, changed, words: "publish.progress" });
if (form) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    if (line.items.length > 0 && form.reportValidity()) settle();
  });
  onPictures((files) => {
    if (!form.reportValidity()) return;
    const asked = settle();
    line.add(itemsOf(files, path).map((item) => ({ ...item, asked, overrides: [] })));
  });
  taken(line);
  keep({
    holds: () => line.items.length > 0,
    unsaved: () => line.running || line.items.some((each) => each.copy && !each.copy.taken),
  });
}
