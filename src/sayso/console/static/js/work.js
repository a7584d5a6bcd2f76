// A line of pictures that are worked on one after the other, with progress, and a way to cancel.
import { say } from "./ask.js";
import { button, element } from "./viewer.js";

const SIGNED_OUT = 401;

export class Line {
  /**
   * `work(item, signal)` does one; `changed(item)` is called when an item's state has changed.
   * `words` names the sentences: `words.doing`, `.done`, `.cancelled`, `.stopped`.
   * An item is waiting, working, done, failed, or cancelled.
   */
  constructor({ work, changed, words }) {
    Object.assign(this, { work, changed, words });
    this.items = [];
    this.running = false;
    this.box = document.getElementById("progress");
    this.bar = document.getElementById("progress-bar");
    this.text = document.getElementById("progress-text");
    this.further = document.getElementById("go-on");
    document.getElementById("cancel").addEventListener("click", () => this.cancel());
    this.further.addEventListener("click", () => this.goOn());
  }

  /** Put items into the line; each is `{file, state, ...}`. */
  add(items) {
    this.items.push(...items);
    this.again(...items);
  }

  /** Do items, or do them again. One that is being done right now is stopped, and waits anew. */
  again(...items) {
    for (const item of items) {
      if (item === this.doing) {
        this.stale = true;
        this.control.abort();
      }
      item.state = "waiting";
      item.problem = "";
      this.changed(item);
    }
    if (!this.running) this.run();
  }

  /** Leave an item as it was before: what it is good for is there. */
  restore(item) {
    item.state = "done";
    item.problem = "";
    this.changed(item);
  }

  cancel() {
    this.stopped = "cancelled";
    this.control?.abort();
  }

  /** Do what was cancelled after all. */
  goOn() {
    this.again(...this.items.filter((each) => each.state === "cancelled"));
  }

  async run() {
    this.running = true;
    this.stopped = "";
    this.box.hidden = false;
    this.further.hidden = true;
    for (let item; !this.stopped && (item = this.items.find((each) => each.state === "waiting"));) {
      const done = this.items.filter((each) => each.state !== "waiting").length;
      this.bar.max = this.items.length;
      this.bar.value = done;
      this.text.textContent = say(`${this.words}.doing`, { done: done + 1, all: this.items.length, name: item.name });
      await this.do(item);
    }
    const left = this.items.filter((each) => each.state === "waiting");
    left.forEach((item) => { item.state = "cancelled"; this.changed(item); });
    const done = this.items.filter((each) => each.state === "done").length;
    this.text.textContent = this.stopped
      ? say(`${this.words}.${this.stopped}`, { done, all: this.items.length })
      : say(`${this.words}.${done ? "done" : "none"}`, { count: done });
    this.box.hidden = true;
    this.further.hidden = !this.items.some((each) => each.state === "cancelled");
    this.running = false;
  }

  async do(item) {
    this.control = new AbortController();
    this.doing = item;
    this.stale = false;
    item.state = "working";
    this.changed(item);
    let [state, problem] = ["done", ""];
    try {
      await this.work(item, this.control.signal);
    } catch (error) {
      [state, problem] = this.refused(error);
    }
    this.doing = null;
    // What was asked for has changed meanwhile: whatever came of it is not what is wanted.
    [item.state, item.problem] = this.stale ? ["waiting", ""] : [state, problem];
    this.changed(item);
  }

  refused(error) {
    if (error.name === "AbortError") return ["cancelled", ""];
    if (error.status === SIGNED_OUT) {
      // So would all others be.
      this.stopped = "stopped";
      return ["cancelled", error.message];
    }
    if (error.status === undefined) console.error(error);
    return ["failed", error.message];
  }
}

/** Items for files, with names that tell them apart. */
export function itemsOf(files, path) {
  return files.map((file) => ({ file, name: path(file), state: "waiting" }));
}

/**
 * Show an item and its state in the list of pictures (queue.html), where it stays as `item.row`;
 * `choose(item)` is called when its button is pressed.
 */
export function showInQueue(item, choose) {
  if (!item.row) {
    item.row = queueEntry(item, choose);
    document.getElementById("queue").append(item.row.entry);
    document.getElementById("queue-box").hidden = false;
  }
  item.row.entry.className = item.state;
}

function queueEntry(item, choose) {
  const entry = element("li");
  const pressed = button("", () => choose(item), "");
  const name = Object.assign(element("span", { class: "name" }), { textContent: item.name });
  const state = element("span", { class: "state" });
  pressed.title = item.name;
  pressed.append(name, state);
  entry.append(pressed);
  return { entry, button: pressed, state };
}

/** What kept an item from being done, with a way to try again; null where nothing did. */
export function trouble(item, line, more = []) {
  if (item.state !== "failed" && item.state !== "cancelled") return null;
  const told = element("div", { class: item.state === "failed" ? "problem" : "problem calm" });
  const text = element("p");
  text.textContent = item.problem || say("common.work.cancelled");
  const tools = element("div", { class: "row" });
  tools.append(button(say("common.work.again"), () => line.again(item)), ...more);
  told.append(text, tools);
  return told;
}
