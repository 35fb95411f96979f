/** A picture on a canvas: zoom, and what is under the pointer or the arrow keys. */
import { h, write } from "./dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOM = 1.5;
const LARGEST_PIXEL = 16;
const SCREEN = 60; // percent of its height

/**
 * `paint(context)` draws `width` x `height` pixels, `tell(x, y)` says what is at one.
 * Returns {element, repaint()}.
 */
export function viewer({ width, height, label, paint, tell }) {
  const canvas = h("canvas", { width, height, tabIndex: 0, role: "img", "aria-label": label });
  const cursor = h("div", { class: "cursor", hidden: true });
  const value = h("output", null, "Point at the picture, or use the arrow keys on it.");
  const pane = h("div", { class: "pane" }, canvas, cursor);
  let at = [0, 0];
  const move = (x, y) => {
    at = [inside(x, width), inside(y, height)];
    const scale = canvas.clientWidth / width;
    const [left, top, size] = [at[0] * scale, at[1] * scale, scale].map((each) => `${each}px`);
    Object.assign(cursor.style, { left, top, width: size, height: size });
    cursor.hidden = false;
    write(value, tell(...at));
  };
  const onPointer = ({ offsetX, offsetY }) => {
    const scale = width / canvas.clientWidth;
    move(Math.floor(offsetX * scale), Math.floor(offsetY * scale));
  };
  canvas.addEventListener("pointermove", onPointer);
  canvas.addEventListener("pointerdown", onPointer); // a finger does not hover
  canvas.addEventListener("keydown", (event) => {
    const [x, y] = ARROWS[event.key] ?? [];
    if (x === undefined) return;
    event.preventDefault();
    move(at[0] + x, at[1] + y);
  });
  const repaint = () => paint(canvas.getContext("2d"));
  repaint();
  return { element: h("figure", null, zoomButtons(pane, cursor, width, height), h("div", { class: "picture" }, pane), value), repaint };
}

function inside(position, size) {
  return Math.max(0, Math.min(size - 1, position));
}

function zoomButtons(pane, cursor, width, height) {
  const button = (text, name, size) => {
    const onclick = () => {
      cursor.hidden = true;
      pane.style.width = size();
    };
    return h("button", { type: "button", class: "plain", "aria-label": name, onclick }, text);
  };
  const times = (factor) => () => `${pane.clientWidth * factor}px`;
  const fitted = () => `min(100%, ${LARGEST_PIXEL * width}px, ${(SCREEN * width) / height}vh)`;
  pane.style.width = fitted();
  return h("div", { class: "row" }, button("+", "Zoom in", times(ZOOM)), button("−", "Zoom out", times(1 / ZOOM)), button("Fit", "Fit to the page", fitted));
}

/** Paint all pixels of a canvas: `color(x, y)` is [red, green, blue], or has an alpha too. */
export function pixels(context, color) {
  const { width, height } = context.canvas;
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data[4 * i + 3] = 255;
    image.data.set(color(i % width, Math.floor(i / width)), 4 * i);
  }
  context.putImageData(image, 0, 0);
}
