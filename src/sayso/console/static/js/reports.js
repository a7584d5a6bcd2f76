// Runs an evaluation: the pictures of a folder are sent one by one, with progress, until cancelled.
import { ask, say, Refused } from "./ask.js";
import { rows } from "./csv.js";
import { API, CONSOLE } from "./place.js";
import { isPicture } from "./sniff.js";

const EVALUATIONS = `${API}/evaluations`;
// So many of the pictures that are of no use are listed.
const SHOWN = 100;
const find = (id) => document.getElementById(id);
const form = find("new");
const most = Number(form.dataset.most);
let chosen = null;
let labels = null;

form.hidden = false;
find("folder").addEventListener("change", async () => {
  chosen = await pictures([...find("folder").files]);
  find("chosen").textContent = inWords(chosen);
  if (chosen.folder && !find("name").value) find("name").value = chosen.folder.slice(0, 255);
  readGroups();
});
find("groups").addEventListener("change", readGroups);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  start().catch((error) => refuse(error.message));
});

/** What of a chosen folder is evaluated: files that are directly in a folder of the chosen one. */
async function pictures(files) {
  const found = [];
  let passedOver = 0;
  let folder = "";
  for (const file of files) {
    const [root, person, name, ...deeper] = file.webkitRelativePath.split("/");
    folder = root;
    if (name && !deeper.length && !person.startsWith(".") && await isPicture(file)) found.push({ person, name, file });
    else passedOver += 1;
  }
  found.sort((a, b) => (a.file.webkitRelativePath < b.file.webkitRelativePath ? -1 : 1));
  return { folder, pictures: found, people: new Set(found.map((each) => each.person)), passedOver };
}

function inWords({ pictures: found, people, passedOver }) {
  const said = [say("reports.chosen.these", {
    pictures: say("reports.chosen.pictures", { count: found.length }),
    people: say("reports.chosen.people", { count: people.size }),
  }) + "."];
  if (passedOver) said.push(say("reports.chosen.passed_over", { count: passedOver }));
  return said.join(" ");
}

/** Raise what is wrong with the choice, as the service would say it once all were sent. */
function check({ pictures: found, people }) {
  const count = found.length;
  if (!count) throw new Error(say("reports.chosen.nobody"));
  if (people.size === 1) throw new Error(say("reports.chosen.one_person"));
  if (people.size === count) throw new Error(say("reports.chosen.one_each"));
  if (count > most) {
    throw new Error(say("reports.chosen.too_many", { count, most }));
  }
}

async function readGroups() {
  const [file] = find("groups").files;
  labels = null;
  find("labelled").textContent = "";
  if (!file || !chosen) return;
  try {
    labels = groups(rows(await file.text()), chosen.people);
    const count = Object.keys(labels).length;
    find("labelled").textContent = say("reports.chosen.groups", { count });
  } catch (error) {
    labels = error;
    find("labelled").textContent = error.message;
  }
}

function groups([header, ...lines], people) {
  if (header.map((each) => each.trim().toLowerCase()).join() !== "person,group") {
    throw new Error(say("reports.groups.header"));
  }
  const found = new Map();
  for (const [place, fields] of lines.entries()) {
    const line = place + 2;
    if (!fields.some((each) => each.trim())) continue;
    if (fields.length !== 2) {
      throw new Error(say("reports.groups.fields", { line, count: fields.length }));
    }
    const [person, group] = [fields[0], fields[1].trim()];
    if (!people.has(person)) throw new Error(say("reports.groups.unknown", { line, person }));
    if ((found.get(person) ?? group) !== group) {
      throw new Error(say("reports.groups.twice", { line, person }));
    }
    if (group) found.set(person, group);
  }
  if (!found.size) throw new Error(say("reports.groups.empty"));
  return Object.fromEntries(found);
}

async function start() {
  refuse("");
  find("outcome").replaceChildren();
  if (!chosen) throw new Error(say("reports.chosen.no_folder"));
  check(chosen);
  if (labels instanceof Error) throw labels;
  const asked = {
    name: find("name").value.trim(), mode: find("mode").value, compare: find("compare").checked,
  };
  const run = await (await ask(EVALUATIONS, json(asked))).json();
  const control = new AbortController();
  const address = `${EVALUATIONS}/${run.id}`;
  find("cancel").onclick = () => control.abort();
  window.addEventListener("beforeunload", keep);
  show(true);
  try {
    await send(address, chosen.pictures, control.signal);
    if (labels) await ask(`${address}/groups`, json({ groups: labels }, control.signal));
    tell([say("reports.sending.finishing")]);
    await ask(`${address}/finish`, { method: "POST", signal: control.signal });
    window.removeEventListener("beforeunload", keep);
    location.assign(`${CONSOLE}/reports/one?evaluation=${run.id}`);
  } catch (error) {
    window.removeEventListener("beforeunload", keep);
    show(false);
    await discard(address, error);
  }
}

/** Have the service forget what was sent, and say why; raises what was refused. */
async function discard(address, error) {
  const cancelled = error.name === "AbortError";
  let gone = "";
  try {
    await ask(address, { method: "DELETE", patience: 3 });
  } catch (problem) {
    gone = say("reports.sending.not_cancelled", { problem: problem.message });
  }
  if (!cancelled) refuse(`${error.message} ${gone || say("reports.sending.stopped")}`);
  else find("outcome").replaceChildren(paragraph(gone || say("reports.sending.cancelled"), "note"));
  find("folder").focus();
}

async function send(address, found, signal) {
  const counts = { done: 0, unusable: 0, refused: 0 };
  const began = Date.now();
  let said = 0;
  find("sent").max = found.length;
  find("sent").value = 0;
  find("left").hidden = true;
  find("left").querySelector("ul").replaceChildren();
  for (const { person, name, file } of found) {
    const why = await sendOne(address, person, name, file, counts, signal);
    if (why) note(`${person}/${name}: ${why}`);
    counts.done += 1;
    find("sent").value = counts.done;
    // Whoever listens to the page is not told of every picture.
    if (Date.now() - said > 3000 || counts.done === found.length) {
      said = Date.now();
      tell(progress(counts, found.length, (said - began) / counts.done));
    }
  }
}

/** Send a picture; return why it is of no use. Raises what concerns the others as well. */
async function sendOne(address, person, name, file, counts, signal) {
  const query = new URLSearchParams({ person, file: name });
  let body;
  try {
    body = await file.arrayBuffer();
  } catch {
    counts.refused += 1;
    return say("reports.sending.unreadable");
  }
  const headers = { "content-type": "application/octet-stream" };
  try {
    const options = { method: "POST", body, headers, signal };
    const answer = await (await ask(`${address}/pictures?${query}`, options)).json();
    if (answer.usable) return null;
    counts.unusable += 1;
    return answer.why;
  } catch (error) {
    // This picture only: too large, or of a name that cannot be.
    if (error instanceof Refused && [400, 413, 415, 422].includes(error.status)) {
      counts.refused += 1;
      return error.message;
    }
    throw error;
  }
}

function progress({ done, unusable, refused }, all, each) {
  const minutes = Math.round(((all - done) * each) / 60000);
  const said = [say("reports.sending.done", { done, all })];
  if (unusable) said.push(say("reports.sending.unusable", { count: unusable }));
  if (refused) said.push(say("reports.sending.refused", { count: refused }));
  if (done < all) {
    said.push(minutes ? say("reports.sending.minutes", { count: minutes }) : say("reports.sending.soon"));
  }
  return said;
}

function note(text) {
  const list = find("left").querySelector("ul");
  find("left").hidden = false;
  if (list.childElementCount < SHOWN) {
    const item = document.createElement("li");
    item.textContent = text;
    list.append(item);
  }
}

function tell(sentences) {
  find("told").textContent = sentences.join(" ");
}

function show(sending) {
  find("sending").hidden = !sending;
  form.hidden = sending;
  tell([]);
  if (sending) find("sending-title").focus();
}

function refuse(text) {
  find("refused").replaceChildren(...(text ? [paragraph(text, "problem")] : []));
}

function paragraph(text, kind) {
  const made = document.createElement("p");
  made.className = kind;
  made.textContent = text;
  return made;
}

function json(document, signal) {
  const headers = { "content-type": "application/json" };
  return { method: "POST", body: JSON.stringify(document), headers, signal };
}

function keep(event) {
  event.preventDefault();
}
