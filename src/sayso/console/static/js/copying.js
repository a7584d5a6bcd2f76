// A button beside a text copies it, where the browser lets a page do so.
import { say } from "./ask.js";

const told = document.getElementById("copied");
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
      told.textContent = say("keys.made.copied");
    } catch {
      getSelection().selectAllChildren(text);
      told.textContent = say("keys.made.copy_failed");
    }
  });
}
