/** A picture on a canvas: zoom, and what is under the pointer or the arrow keys. */
import { h, write } from "./dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const RAMP = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];

/** `paint(context)` draws, `tell(x, y)` says what is at a pixel. */
export function viewer({ width, height, label, paint, tell }) {
  let [x, y] = [0, 0];
  const point = (...to) => {
    [x, y] = [width, height].map((size, i) => Math.max(0, Math.min(size - 1, Math.floor(to[i]))));
    const box = { left: x / width, top: y / height, width: 1 / width, height: 1 / height };
    for (const name in box) cursor.style[name] = `${100 * box[name]}%`;
    cursor.hidden = false;
    write(value, tell(x, y));
  };
  const onpointermove = ({ offsetX, offsetY, target }) =>
    point((offsetX * width) / target.clientWidth, (offsetY * height) / target.clientHeight);
  const onkeydown = (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    point(x + arrow[0], y + arrow[1]);
  };
  const events = { onpointermove, onpointerdown: onpointermove, onkeydown };
  const canvas = h("canvas", { width, height, tabIndex: 0, role: "img", ariaLabel: label, ...events });
  const cursor = h("div", { class: "cursor", hidden: true });
  const fitted = `min(100%, ${16 * width}px, ${(60 * width) / height}vh)`;
  const pane = h("div", { class: "pane", style: { width: fitted } }, canvas, cursor);
  const oninput = ({ target }) => (pane.style.width = `calc(${target.value} * ${fitted})`);
  const zoom = slider("Zoom", { min: 1, max: 16, value: 1, oninput });
  const value = h("output", null, "Point at the picture, or use the arrow keys on it.");
  const repaint = () => paint(canvas.getContext("2d"));
  repaint();
  const scroller = h("div", { class: "picture" }, pane);
  return { element: h("figure", null, zoom, scroller, value), repaint };
}

export const slider = (name, input) =>
  h("label", { class: "row quiet" }, name, h("input", { type: "range", step: 0.05, ...input }));

/** `color(i)` is [red, green, blue] of the pixel i, or has an alpha too. */
export function pixels(context, color) {
  const { width, height } = context.canvas;
  const image = context.createImageData(width, height);
  image.data.fill(255);
  for (let i = 0; i < width * height; i++) image.data.set(color(i), 4 * i);
  context.putImageData(image, 0, 0);
}

/** Dark to light in even steps. */
export function heat(value, { low, high }) {
  if (Number.isNaN(value)) return [255, 0, 255];
  const share = high > low ? (value - low) / (high - low) : 0.5;
  const at = (RAMP.length - 1) * Math.max(0, Math.min(1, share));
  const next = RAMP[Math.ceil(at)];
  return RAMP[Math.floor(at)].map((each, i) => each + (next[i] - each) * (at % 1));
}

/** Hues a golden angle apart; the class 0 is clear: it is what lies behind. */
export function classColor(k) {
  const side = (n) => (n + k * 4.58) % 12;
  const part = (n) => Math.max(-1, Math.min(side(n) - 3, 9 - side(n), 1));
  return [...[0, 8, 4].map((n) => 150 - 90 * part(n)), k ? 255 : 0];
}
