/** Matrices and images of a result as pictures. */
import { RAMP, heat } from "./colors.js";
import { pixels, viewer } from "./viewer.js";
import { brief } from "./tensor.js";
import { count } from "./format.js";
import { h } from "./dom.js";

const LEAST_SIDE = 8; // three rows of three are a matrix
const MAX_SIDE = 8192; // what canvases hold

export function isPicture({ shape }) {
  const [height, width] = shape.slice(-2);
  return Math.min(height, width) > 1 && Math.max(height, width) <= MAX_SIDE;
}

/** The last two dimensions from an element on, in colours from the least to the largest value. */
export function matrix(tensor, from) {
  const [height, width] = tensor.shape.slice(-2);
  const scale = tensor.range(from, height * width);
  const at = (x, y) => from + y * width + x;
  const { element, repaint } = viewer({
    width,
    height,
    label: `${height} rows and ${width} columns, from ${brief(scale.low)} to ${brief(scale.high)}`,
    paint: (context) => pixels(context, (x, y) => heat(tensor.number(at(x, y)), scale.low, scale.high)),
    tell: (x, y) => `row ${y}, column ${x}: ${tensor.text(at(x, y))}`,
  });
  return [element, scaleFields(scale, repaint), scale.odd > 0 && h("p", { class: "quiet" }, `${count(scale.odd, "value")} not finite; NaN is magenta.`)];
}

function scaleFields(scale, repaint) {
  const field = (name, label) => {
    const oninput = ({ target }) => {
      if (target.value === "") return;
      scale[name] = target.valueAsNumber;
      repaint();
    };
    return h("input", { type: "number", step: "any", value: brief(scale[name]), "aria-label": label, oninput });
  };
  const ramp = h("div", { class: "ramp", style: { background: RAMP } });
  return h("div", { class: "row" }, field("low", "Darkest value"), ramp, field("high", "Lightest value"));
}

/** Where the colours of a picture lie: [..., 3, H, W] or [..., H, W, 3]; null for others. */
export function colorLayout(tensor) {
  const [a, b, c] = tensor.shape.slice(-3);
  const isFirst = a === 3 && Math.min(b, c) >= LEAST_SIDE;
  if (tensor.shape.length < 3 || tensor.isComplex || !(isFirst || (c === 3 && Math.min(a, b) >= LEAST_SIDE))) return null;
  const { low, high, odd } = tensor.range();
  if (odd || low < 0 || high > 255) return null;
  const factor = !tensor.isWhole && high <= 1 ? 255 : 1;
  return isFirst ? { height: b, width: c, channel: b * c, pixel: 1, factor } : { height: a, width: b, channel: 1, pixel: 3, factor };
}

/** Red, green and blue, of 0 to 1 or 0 to 255. */
export function colorPicture(tensor, from) {
  const { height, width, channel, pixel, factor } = colorLayout(tensor);
  const at = (x, y) => [0, 1, 2].map((each) => from + each * channel + (y * width + x) * pixel);
  const label = `A picture in colours, ${width} wide and ${height} high`;
  const paint = (context) => pixels(context, (x, y) => at(x, y).map((i) => factor * tensor.number(i)));
  const tell = (x, y) => `row ${y}, column ${x}: ${at(x, y).map((i) => tensor.text(i)).join(", ")}`;
  return viewer({ width, height, label, paint, tell }).element;
}
