/** Matrices and images of a result as pictures. */
import { field, h, row } from "./dom.js";
import { brief } from "./tensor.js";
import { heat, pixels, viewer } from "./viewer.js";

const LEAST_SIDE = 8; // three rows of three are a matrix
const MAX_SIDE = 8192;
const MAX_PIXELS = 2 ** 23;

export function isPicture({ shape }) {
  const [height, width] = shape.slice(-2);
  return Math.min(height, width) > 1 && Math.max(height, width) <= MAX_SIDE && height * width <= MAX_PIXELS;
}

export function matrix(tensor, from) {
  const [height, width] = tensor.shape.slice(-2);
  const scale = tensor.range(from, height * width);
  const { element, repaint } = viewer({
    width,
    height,
    label: `${height} rows and ${width} columns, from ${brief(scale.low)} to ${brief(scale.high)}`,
    paint: (context) => pixels(context, (i) => heat(tensor.number(from + i), scale)),
    tell: (x, y) => `row ${y}, column ${x}: ${tensor.text(from + y * width + x)}`,
  });
  const end = (name, label) => {
    const oninput = ({ target }) => {
      scale[name] = target.valueAsNumber;
      repaint();
    };
    return field(label, h("input", { type: "number", step: "any", value: brief(scale[name]), oninput }));
  };
  const odd = scale.odd > 0 && `${scale.odd} not finite; NaN is magenta`;
  return [element, row(end("low", "Darkest"), end("high", "Lightest"), odd)];
}

/** Of an image: its size, how far colours and pixels lie apart, what makes 255 of white; null for other tensors. */
export function imageOf(tensor) {
  const [a, b, c] = tensor.shape.slice(-3);
  const isFirst = a === 3;
  const [height, width] = isFirst ? [b, c] : [a, b];
  if (tensor.isComplex || !(isFirst || c === 3) || !(Math.min(height, width) >= LEAST_SIDE)) return null;
  const { low, high, odd } = tensor.range();
  const white = /float/.test(tensor.type) && high <= 1 ? 1 : 255;
  return !odd && low >= 0 && high <= 255 && { height, width, apart: isFirst ? [b * c, 1] : [1, 3], factor: 255 / white };
}

export function image(tensor, from) {
  const { height, width, apart, factor } = imageOf(tensor);
  const at = (i) => [0, 1, 2].map((color) => from + color * apart[0] + i * apart[1]);
  return viewer({
    width,
    height,
    label: `A picture in colours, ${width} wide and ${height} high`,
    paint: (context) => pixels(context, (i) => at(i).map((each) => factor * tensor.number(each))),
    tell: (x, y) => `row ${y}, column ${x}: ${at(y * width + x).map((each) => tensor.text(each)).join(", ")}`,
  }).element;
}
