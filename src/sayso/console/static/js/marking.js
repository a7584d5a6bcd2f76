// Boxes over a picture of Publish: those of its heads, and new ones that are drawn over a place.
import { say } from "./ask.js";
import { button, element } from "./viewer.js";

const SVG = "http://www.w3.org/2000/svg";
/** A box of less than this share of the picture was a slip of the hand. */
const LEAST = 1 / 200;

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** The boxes of a manifest's faces, as an SVG element to lay over the picture. */
export function boxesOf(manifest) {
  const made = svg("svg", { class: "boxes", viewBox: `0 0 ${manifest.width} ${manifest.height}`, "aria-hidden": "true" });
  const faces = manifest.faces.map((face, index) => [face, index]).reverse();
  for (const [face, index] of faces) {
    const [x1, y1, x2, y2] = face.box;
    const group = svg("g", { "data-face": String(index + 1), class: face.covered ? "covered" : "named" });
    group.append(svg("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, rx: 2 }));
    made.append(group);
  }
  return made;
}

/**
 * What it takes to cover a place that no detector saw: a box drawn over it, or its numbers. `add`
 * is called with the box, x1, y1, x2, y2 in pixels of the picture.
 */
export function marking({ width, height }, boxes, add) {
  const numbers = element("form", { class: "numbers row", hidden: "" });
  const start = button(say("publish.mark.start"), () => {
    const on = boxes.classList.toggle("marking");
    numbers.hidden = !on;
    start.textContent = say(on ? "publish.mark.stop" : "publish.mark.start");
  });
  const hint = Object.assign(element("p", { class: "muted" }), { textContent: say("publish.mark.hint") });
  numbers.append(hint);
  const inputs = ["left", "top", "width", "height"].map((word) => {
    const label = element("label");
    const input = element("input", { type: "number", min: "0", max: "100", step: "any", required: "" });
    label.append(say(`publish.mark.${word}`), input);
    numbers.append(label);
    return input;
  });
  const submit = element("button", { class: "small" });
  submit.textContent = say("publish.mark.add");
  numbers.append(submit);
  numbers.addEventListener("submit", (event) => {
    event.preventDefault();
    const [x, y, w, h] = inputs.map((input) => Number(input.value) / 100);
    if (w > 0 && h > 0) add([x * width, y * height, Math.min(1, x + w) * width, Math.min(1, y + h) * height]);
  });
  draw(boxes, width, height, add);
  return [start, numbers];
}

function draw(boxes, width, height, add) {
  let from = null;
  let rect = null;
  const place = (event) => {
    const area = boxes.getBoundingClientRect();
    return [((event.clientX - area.left) / area.width) * width, ((event.clientY - area.top) / area.height) * height];
  };
  const box = (to) => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
  boxes.addEventListener("pointerdown", (event) => {
    if (!boxes.classList.contains("marking")) return;
    event.preventDefault();
    from = place(event);
    rect = svg("rect", { class: "drawing" });
    boxes.append(rect);
    boxes.setPointerCapture(event.pointerId);
  });
  boxes.addEventListener("pointermove", (event) => {
    if (!rect) return;
    const [x1, y1, x2, y2] = box(place(event));
    for (const [key, value] of Object.entries({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 })) rect.setAttribute(key, value);
  });
  boxes.addEventListener("pointerup", (event) => {
    if (!rect) return;
    const drawn = box(place(event));
    rect.remove();
    rect = null;
    if (drawn[2] - drawn[0] > width * LEAST && drawn[3] - drawn[1] > height * LEAST) add(drawn);
  });
}
