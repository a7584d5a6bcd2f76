// A form whose answer takes a while says so once it is sent; stopping to load the page ends that.
for (const form of document.querySelectorAll("form[data-waits]")) {
  const told = document.createElement("p");
  told.setAttribute("role", "status");
  form.append(told);
  form.addEventListener("submit", () => {
    told.textContent = form.dataset.waits;
    for (const button of form.querySelectorAll("button[type=submit]")) {
      button.setAttribute("aria-busy", "true");
    }
  });
  // A page that comes back from the browser's memory waits for nothing.
  window.addEventListener("pageshow", () => {
    told.textContent = "";
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });
}
