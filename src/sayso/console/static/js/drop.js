// Pictures that are dropped, pasted, or chosen: one list of files, whatever way they came.
import { say } from "./ask.js";
import { isPicture } from "./sniff.js";

/** Call `take(files)` whenever pictures come in, in the order of their names within a folder. */
export function onPictures(take) {
  const zone = document.getElementById("drop");
  const offer = async (files) => {
    const known = await Promise.all(files.map(isPicture));
    const pictures = files.filter((_, place) => known[place]);
    if (pictures.length > 0) take(pictures);
    else document.getElementById("progress-text").textContent = say("look.drop.none");
  };
  for (const id of ["choose-pictures", "choose-folder"]) {
    const input = document.getElementById(id);
    input?.addEventListener("change", () => {
      const files = [...input.files];
      files.sort((a, b) => path(a).localeCompare(path(b), undefined, { numeric: true }));
      input.value = ""; // the same file may be chosen again
      offer(files);
    });
  }
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) offer(files);
  });
  const over = (on) => zone.classList.toggle("over", on);
  for (const where of [zone, document]) {
    where.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
    where.addEventListener("dragleave", () => over(false));
  }
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    over(false);
    // Entries are gone once this handler waits for anything, so they are asked for first.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files];
    offer(entries.some((entry) => entry.isDirectory) ? (await Promise.all(entries.map(filesOf))).flat() : plain);
  });
}

/** Where a file is within the folder that it came in, or else its name. */
export const path = (file) => file.webkitRelativePath || file.name;

async function filesOf(entry) {
  if (entry.isFile) {
    return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives a hundred at a time, and none in the end
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    found.push(...some);
  }
  found.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  return (await Promise.all(found.map(filesOf))).flat();
}
