// What every page has: the menu, choices that go somewhere, and buttons that print.

// On narrow screens the menu is behind a button. Without scripts it is simply there.
const button = document.querySelector(".menu-button");
const menu = document.getElementById("menu");
if (button && menu) {
  const show = (open) => {
    button.setAttribute("aria-expanded", String(open));
    menu.classList.toggle("closed", !open);
  };
  button.hidden = false;
  show(false);
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && button.offsetParent !== null) {
      show(false);
      button.focus();
    }
  });
}
// A choice that has a page of its own goes there when it is made.
for (const form of document.querySelectorAll("form[data-choose]")) {
  form.querySelector("select")?.addEventListener("change", () => form.requestSubmit());
  form.classList.add("chooses");
}
for (const each of document.querySelectorAll("[data-print]")) {
  each.addEventListener("click", () => window.print());
}
