/** Masks over the picture that was sent. */
import { classColor, css, heat } from "./colors.js";
import { h, replace } from "./dom.js";
import { pixels, viewer } from "./viewer.js";
import { brief } from "./tensor.js";

const SIDES = [640, 2048]; // of pictures as they are drawn
const LEAST_SIDE = 8;
const MAX_CLASSES = 1024;
const LEGEND = 12;
const SIMILAR = 1.03; // ratios of sides that were rounded

/** The size at which a picture that was sent is drawn. */
export function sizeOf({ naturalWidth, naturalHeight }) {
  const side = Math.max(naturalWidth, naturalHeight);
  const scale = Math.max(SIDES[0], Math.min(SIDES[1], side)) / side;
  return [Math.round(naturalWidth * scale), Math.round(naturalHeight * scale)];
}

/** Whether the last two dimensions have the picture's ratio. */
export function isMask({ shape, isComplex }, { picture }) {
  const [height, width] = shape.slice(-2);
  if (!picture || isComplex || !(Math.min(height, width) >= LEAST_SIDE)) return false;
  const ratio = (width / height) * (picture.naturalHeight / picture.naturalWidth);
  return Math.max(ratio, 1 / ratio) < SIMILAR;
}

/** How many of the last dimensions belong to one mask: three where it has classes. */
export function maskDimensions({ shape }) {
  return shape.at(-3) > 1 && shape.at(-3) <= MAX_CLASSES ? 3 : 2;
}

/** A mask from an element on; of several classes, the largest of each place or a chosen one. */
export function mask(tensor, from, { picture, labels }) {
  const [height, width] = tensor.shape.slice(-2);
  const [size, count] = [height * width, maskDimensions(tensor) === 3 ? tensor.shape.at(-3) : 0];
  const names = labels(count);
  const title = (k) => (names ? `${k} ${names[k]}` : String(k));
  const one = (start) => (tensor.isWhole ? classLayer((i) => tensor.number(start + i), size, String) : heatLayer(tensor, start, size));
  const layer = (k) => (k < 0 ? classLayer(winners(tensor, from, count, size), size, title) : one(from + k * size));
  const area = h("div");
  const draw = (k) => replace(area, over(picture, width, height, layer(k)));
  draw(count ? -1 : 0);
  const options = Array.from({ length: count }, (_, k) => h("option", { value: k }, title(k)));
  const onchange = ({ target }) => draw(Number(target.value));
  const chooser = h("select", { onchange }, h("option", { value: -1 }, "The largest of each place"), options);
  return [count > 0 && h("label", { class: "field" }, "Class", chooser), area];
}

/** A function that tells of each place the class with the largest value. */
function winners(tensor, from, classes, size) {
  const best = new Uint16Array(size);
  for (let k = 1; k < classes; k++) {
    for (let i = 0; i < size; i++) {
      if (tensor.number(from + k * size + i) > tensor.number(from + best[i] * size + i)) best[i] = k;
    }
  }
  return (i) => best[i];
}

/** A layer is {color(i), tell(i), label, legend}. The class 0 is clear: it is what lies behind. */
function classLayer(classOf, size, title) {
  const counts = new Map();
  for (let i = 0; i < size; i++) counts.set(classOf(i), (counts.get(classOf(i)) ?? 0) + 1);
  const largest = [...counts].sort((a, b) => b[1] - a[1]).slice(0, LEGEND);
  const words = largest.map(([k, n]) => `${title(k)}: ${brief((100 * n) / size)} %${k ? "" : " (clear)"}`);
  const swatch = (k) => h("span", { class: "swatch", style: { background: k ? css(classColor(k)) : "none" } });
  const more = counts.size > LEGEND && h("li", null, `${counts.size - LEGEND} more`);
  return {
    color: (i) => [...classColor(classOf(i)), classOf(i) ? 255 : 0],
    tell: (i) => title(classOf(i)),
    label: words.join(", "),
    legend: h("ul", { class: "legend" }, largest.map(([k], i) => h("li", null, swatch(k), words[i])), more),
  };
}

function heatLayer(tensor, from, size) {
  const { low, high } = tensor.range(from, size);
  const color = (i) => heat(tensor.number(from + i), low, high);
  return { color, tell: (i) => tensor.text(from + i), label: `values from ${brief(low)} to ${brief(high)}` };
}

/** The picture, a layer over it, and how much of the layer is seen. */
function over(picture, columns, rows, layer) {
  const [width, height] = sizeOf(picture);
  const drawn = h("canvas", { width: columns, height: rows });
  pixels(drawn.getContext("2d"), (x, y) => layer.color(y * columns + x));
  const opacity = h("input", { type: "range", max: 1, step: 0.05, value: 0.6, oninput: () => repaint() });
  const paint = (context) => {
    context.globalAlpha = 1;
    context.drawImage(picture, 0, 0, width, height);
    context.globalAlpha = opacity.value;
    context.imageSmoothingEnabled = false;
    context.drawImage(drawn, 0, 0, width, height);
  };
  const tell = (x, y) => {
    const [row, column] = [Math.floor((y * rows) / height), Math.floor((x * columns) / width)];
    return `row ${row}, column ${column}: ${layer.tell(row * columns + column)}`;
  };
  const label = `The picture that was sent, and over it ${layer.label}`;
  const { element, repaint } = viewer({ width, height, label, paint, tell });
  return [h("label", { class: "field" }, "Opacity of the mask", opacity), element, layer.legend];
}
