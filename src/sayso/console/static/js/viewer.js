// A picture with boxes over it and the list of its faces beside it: zoom, filter, and choosing a
// face in either place.
import { say } from "./ask.js";

const ZOOMS = [1, 2, 3, 4, 6, 8];

/**
 * Show a picture. `url` is of the picture, `boxes` an SVG element whose groups have data-face, and
 * `list` the element with the faces, whose items have data-face. `memory` keeps how far it was
 * enlarged, and where, for the next viewer of the same picture. Returns the viewer's element.
 */
export function viewer({ url, name, boxes, list, tools = [], filter = true, memory = {}, chosen = () => {} }) {
  const root = element("div", { class: "viewer" });
  const left = element("div");
  const bar = element("div", { class: "bar" });
  const stage = element("div", { class: "stage", tabindex: "0", role: "region", "aria-label": say("look.picture.scroll") });
  const canvas = element("div", { class: "canvas" });
  const picture = element("img", { src: url, alt: name });
  const told = element("p", { class: "muted", hidden: "" });
  told.textContent = say("look.picture.not_shown");
  // The same element may show another picture next, such as the copy.
  const shown = (is) => {
    told.hidden = is;
    stage.hidden = !is;
  };
  picture.addEventListener("error", () => shown(false));
  picture.addEventListener("load", () => shown(true));
  picture.addEventListener("load", () => stage.scrollTo(memory.left ?? 0, memory.top ?? 0), { once: true });
  stage.addEventListener("scroll", () => Object.assign(memory, { left: stage.scrollLeft, top: stage.scrollTop }));
  canvas.append(picture, boxes);
  stage.append(canvas);
  let zoom = memory.zoom ?? 0;
  canvas.classList.add(`z${ZOOMS[zoom]}`);
  const setZoom = (to) => {
    // What is in the middle stays there.
    const x = (stage.scrollLeft + stage.clientWidth / 2) / canvas.clientWidth;
    const y = (stage.scrollTop + stage.clientHeight / 2) / canvas.clientHeight;
    canvas.classList.remove(`z${ZOOMS[zoom]}`);
    zoom = Math.max(0, Math.min(ZOOMS.length - 1, to));
    memory.zoom = zoom;
    canvas.classList.add(`z${ZOOMS[zoom]}`);
    stage.scrollTo(x * canvas.clientWidth - stage.clientWidth / 2, y * canvas.clientHeight - stage.clientHeight / 2);
  };
  const zooming = [["zoom_out", () => setZoom(zoom - 1)], ["zoom_in", () => setZoom(zoom + 1)], ["fit", () => setZoom(0)]];
  for (const [word, act] of zooming) bar.append(button(say(`look.picture.${word}`), act));
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    setZoom(zoom + (event.deltaY < 0 ? 1 : -1));
  }, { passive: false });
  if (filter) bar.append(filters(root));
  bar.append(...tools);
  left.append(bar, told, stage);
  root.append(left, list);

  const choose = (number, { scroll = true } = {}) => {
    for (const each of root.querySelectorAll("[data-face]")) {
      const is = each.dataset.face === number;
      each.classList.toggle("chosen", is);
      each.querySelector("button.face")?.setAttribute("aria-pressed", String(is));
      if (is && scroll) show(each, stage, canvas);
    }
    chosen(number);
  };
  boxes.addEventListener("click", (event) => {
    const group = event.target.closest("[data-face]");
    if (group) choose(group.dataset.face);
  });
  list.addEventListener("click", (event) => {
    const pressed = event.target.closest("button.face");
    if (pressed) choose(pressed.closest("[data-face]").dataset.face);
  });
  return root;
}

function show(each, stage, canvas) {
  if (each instanceof SVGElement) {
    const box = each.querySelector("rect");
    const view = each.ownerSVGElement.viewBox.baseVal;
    const scale = canvas.clientWidth / view.width;
    stage.scrollTo({
      left: (box.x.baseVal.value + box.width.baseVal.value / 2) * scale - stage.clientWidth / 2,
      top: (box.y.baseVal.value + box.height.baseVal.value / 2) * scale - stage.clientHeight / 2,
    });
  } else {
    each.scrollIntoView({ block: "nearest" });
  }
}

function filters(root) {
  const set = element("fieldset");
  const legend = element("legend", { class: "visually-hidden" });
  legend.textContent = say("look.picture.filter");
  set.append(legend);
  const group = `filter-${Math.random().toString(36).slice(2)}`;
  for (const [value, word] of [["all", "all"], ["named", "only_named"], ["unknown", "only_unknown"]]) {
    const label = element("label");
    const radio = element("input", { type: "radio", name: group, value });
    radio.checked = value === "all";
    radio.addEventListener("change", () => {
      root.classList.toggle("show-named", value === "named");
      root.classList.toggle("show-unknown", value === "unknown");
    });
    label.append(radio, say(`look.picture.${word}`));
    set.append(label);
  }
  return set;
}

/** An element with attributes. */
export function element(name, attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** A button that does something. */
export function button(text, act, classes = "small outline") {
  const made = element("button", { type: "button", class: classes });
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}
