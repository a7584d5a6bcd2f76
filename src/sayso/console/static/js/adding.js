// Adding somebody: pictures are asked for once the consent form is filled in; they are shown, also
// those of the camera; and they stay chosen when they are refused, which a page that is loaded anew
// could not do. With a consent on record they are sent one by one, so that each can be refused by
// itself; a new consent and the pictures that rest on it are recorded together, or not at all.
import { ask, say } from "./ask.js";
import { camera } from "./camera.js";

const form = document.getElementById("adding");
if (form) {
  const consent = document.getElementById("consent");
  const pictures = document.getElementById("faces");
  const input = form.elements.pictures;
  const lock = document.getElementById("lock");
  const refused = document.getElementById("refused");
  const button = form.querySelector("button[type=submit]");

  // --- the consent form first ---------------------------------------------------------------------

  const asked = [...consent.querySelectorAll("input, textarea")];
  const purposes = consent.querySelectorAll("[name=purposes], [name=other_purpose]");
  const isGiven = (each) => (each.type === "checkbox" ? each.checked : each.value.trim() !== "");
  const unlock = () => {
    const filled = asked.every((each) => each.validity.valid && (!each.required || isGiven(each)));
    const open = filled && (purposes.length === 0 || [...purposes].some(isGiven));
    if (pictures.disabled === open || lock.textContent === "") {
      pictures.disabled = button.disabled = !open;
      lock.textContent = open && asked.some((each) => each.type !== "hidden")
        ? say("people.add.unlocked") : open ? "" : say("people.add.locked");
    }
  };
  consent.addEventListener("input", unlock);
  unlock();

  // --- the pictures -------------------------------------------------------------------------------

  const list = document.getElementById("chosen");
  let files = [];
  const keep = (changed) => {
    files = changed;
    const data = new DataTransfer();
    for (const file of files) data.items.add(file);
    input.files = data.files;
    for (const each of list.querySelectorAll("img")) URL.revokeObjectURL(each.src);
    list.replaceChildren(...files.map(shown));
    list.hidden = files.length === 0;
  };
  const shown = (file) => {
    const item = document.createElement("li");
    const image = document.createElement("img");
    image.src = URL.createObjectURL(file);
    image.alt = "";
    const name = document.createElement("span");
    name.textContent = file.name;
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "small secondary outline";
    remove.textContent = "×";
    remove.setAttribute("aria-label", say("people.add.remove", { name: file.name }));
    remove.addEventListener("click", () => {
      keep(files.filter((each) => each !== file));
      input.focus();
    });
    item.append(image, name, remove);
    return item;
  };
  input.addEventListener("change", () => keep([...input.files]));
  camera(document.getElementById("camera"), (file) => keep([...files, file]));

  // --- sent, and perhaps refused ------------------------------------------------------------------

  const words = button.textContent;
  const busy = (on) => {
    button.disabled = on;
    button.textContent = on ? button.dataset.working : words;
    if (on) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
  };
  const tell = (...texts) => {
    refused.replaceChildren(...texts.map((text) => {
      const told = document.createElement("p");
      told.className = "problem";
      told.textContent = text;
      return told;
    }));
  };
  const explain = (error) => {
    tell(error.message);
    // What somebody has to say yes to before it is done.
    const asked = { "looks-like-another": "lookalike", "name-taken": "same" }[error.kind];
    if (asked && form.elements[asked]) {
      document.getElementById(asked).hidden = false;
      form.elements[asked].focus();
    }
  };
  const leave = document.getElementById("leave");
  const sending = document.getElementById("sending");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    tell();
    busy(true);
    if (leave) leave.textContent = say("people.add.leave");
    try {
      if (sending) await sendEach();
      else {
        const response = await ask(form.action, { method: "POST", body: new FormData(form) });
        location.assign(await response.text());
      }
    } catch (error) {
      explain(error);
    } finally {
      busy(false);
      if (leave) leave.textContent = "";
    }
  });

  // --- one by one ---------------------------------------------------------------------------------

  const isOfPicture = (error) =>
    [413, 422].includes(error.status) && !["invalid-request", "looks-like-another"].includes(error.kind);

  async function sendEach() {
    const all = [...files];
    const useless = [];
    const stopping = new AbortController();
    const stop = () => stopping.abort();
    const show = (done) => {
      document.getElementById("sent").value = done / all.length;
      document.getElementById("told").textContent = say("people.add.sent", { done, all: all.length });
    };
    let done = 0;
    let page = "";
    sending.hidden = false;
    document.getElementById("stop").addEventListener("click", stop);
    try {
      for (show(0); done < all.length; show(done)) {
        try {
          page = await sendOne(all[done], done + 1, stopping.signal);
        } catch (error) {
          if (!isOfPicture(error)) throw error;
          const why = error.message.replace(/^picture 1: /, "").replace(/\.$/, "");
          const which = say("people.add.which", { place: done + 1, file: all[done].name });
          useless.push({ file: all[done], told: say("people.add.refused", { which, why }) });
        }
        done += 1;
      }
    } catch (error) {
      keep([...useless.map((each) => each.file), ...all.slice(done)]);
      if (error.name !== "AbortError") throw error;
      tell(say("people.add.stopped", { done, all: all.length }), ...useless.map((each) => each.told));
      link(page);
      return;
    } finally {
      sending.hidden = true;
      document.getElementById("stop").removeEventListener("click", stop);
    }
    if (useless.length === 0) {
      location.assign(page);
      return;
    }
    keep(useless.map((each) => each.file));
    const counts = { count: useless.length, all: all.length };
    tell(say("people.add.some_left", counts), ...useless.map((each) => each.told));
    link(page);
  }

  async function sendOne(file, place, signal) {
    const body = new FormData(form);
    body.set("pictures", file);
    body.set("place", String(place));
    return (await ask(form.action, { method: "POST", body, signal })).text();
  }

  /** Where to see what is enrolled, if anything was. */
  function link(page) {
    if (!page) return;
    const there = document.createElement("a");
    there.href = page;
    there.textContent = say("people.add.see_person", { name: form.elements.subject.value });
    refused.append(there);
  }
}
