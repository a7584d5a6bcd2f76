// An evaluation that is being measured: how far it is, until there is something else to show.
import { ask, say } from "./ask.js";

const busy = document.getElementById("busy");
const bar = document.getElementById("done");
const told = document.getElementById("told");
const refused = document.getElementById("refused");
const PAUSE = 1000;

async function look() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    const run = await (await ask(busy.dataset.evaluation)).json();
    if (!["waiting", "measuring", "drawing"].includes(run.state)) return;
    bar.value = run.progress;
    const text = say("reports.one.at", {
      state: say(`reports.state.${run.state}`), percent: Math.round(100 * run.progress),
    });
    if (told.textContent !== text) told.textContent = text;
  }
}

look().then(
  () => location.reload(),
  (error) => {
    const text = document.createElement("p");
    text.textContent = error.message;
    refused.className = "problem";
    refused.replaceChildren(text);
  },
);
