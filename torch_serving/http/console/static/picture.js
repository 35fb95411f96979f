/** Pictures on canvases: of matrices and images, and of masks and boxes over the picture that was sent. */
import { h, write } from "./dom.js";
import { Tensor, brief } from "./tensor.js";
import { leftOut, table } from "./numbers.js";
import { strings } from "./envelopes.js";

const LEAST_SIDE = 8; // three rows of three are a matrix
const SIMILAR = 1.03; // ratios of sides that were rounded
const SHOWN = 100;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const RAMP = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]]; // dark to light, evenly

/** `paint(context)` draws, `tell(x, y)` says what is at a pixel. */
function viewer({ width, height, label, paint, tell }) {
  let [x, y] = [0, 0];
  const point = (...to) => {
    [x, y] = [width, height].map((size, i) => Math.max(0, Math.min(size - 1, Math.floor(to[i]))));
    const box = { left: x / width, top: y / height, width: 1 / width, height: 1 / height };
    for (const name in box) cursor.style[name] = `${100 * box[name]}%`;
    cursor.hidden = false;
    write(value, tell(x, y));
  };
  const onpointermove = ({ offsetX, offsetY }) => point((offsetX * width) / canvas.clientWidth, (offsetY * height) / canvas.clientHeight);
  const onkeydown = (event) => {
    const [dx, dy] = ARROWS[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    point(x + dx, y + dy);
  };
  const events = { onpointermove, onpointerdown: onpointermove, onkeydown };
  const canvas = h("canvas", { width, height, tabIndex: 0, role: "img", "aria-label": label, ...events });
  const cursor = h("div", { class: "cursor", hidden: true });
  const fitted = `min(100%, ${16 * width}px, ${(60 * width) / height}vh)`;
  const pane = h("div", { class: "pane", style: { width: fitted } }, canvas, cursor);
  const oninput = ({ target }) => (pane.style.width = `calc(${target.value} * ${fitted})`);
  const value = h("output", null, "Point at the picture, or use the arrow keys on it.");
  const repaint = () => paint(canvas.getContext("2d"));
  repaint();
  const zoom = slider("Zoom", { min: 1, max: 16, value: 1, oninput });
  return { element: h("figure", null, zoom, h("div", { class: "picture" }, pane), value), repaint };
}

const slider = (name, rest) => h("label", { class: "row quiet" }, name, h("input", { type: "range", step: 0.05, ...rest }));

/** `color(i)` is [red, green, blue] of the pixel i, or has an alpha too. */
function pixels(context, color) {
  const { width, height } = context.canvas;
  const image = context.createImageData(width, height);
  image.data.fill(255);
  for (let i = 0; i < width * height; i++) image.data.set(color(i), 4 * i);
  context.putImageData(image, 0, 0);
}

function heat(value, { low, high }) {
  if (Number.isNaN(value)) return [255, 0, 255];
  const at = (RAMP.length - 1) * (high > low ? Math.max(0, Math.min(1, (value - low) / (high - low))) : 0.5);
  const first = RAMP[Math.floor(at)];
  return first.map((each, i) => each + (RAMP[Math.ceil(at)][i] - each) * (at % 1));
}

/** Hues a golden angle apart; the class 0 is clear, as it is what lies behind. */
function classColor(k) {
  const side = (n) => (n + k * 4.58) % 12;
  return [...[0, 8, 4].map((n) => 150 - 90 * Math.max(-1, Math.min(side(n) - 3, 9 - side(n), 1))), k ? 255 : 0];
}

export const isPicture = ({ shape }) => Math.min(...shape.slice(-2)) > 1 && shape.length > 1 && Math.max(...shape.slice(-2)) < 9000;

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
    return h("label", { class: "field" }, label, h("input", { type: "number", step: "any", value: brief(scale[name]), oninput }));
  };
  const odd = scale.odd > 0 && `${scale.odd} not finite; NaN is magenta`;
  return [element, h("div", { class: "row" }, end("low", "Darkest"), end("high", "Lightest"), odd)];
}

/** How far neighbours lie apart in an image: {height, width, channel, pixel}; null for other tensors. */
export function colorLayout(tensor) {
  const [a, b, c] = tensor.shape.slice(-3);
  const isFirst = a === 3 && Math.min(b, c) >= LEAST_SIDE;
  if (tensor.isComplex || !(isFirst || (c === 3 && Math.min(a, b) >= LEAST_SIDE))) return null;
  const { low, high, odd } = tensor.range();
  if (odd || low < 0 || high > 255) return null;
  const factor = /^float|^bf/.test(tensor.type) && high <= 1 ? 255 : 1;
  return isFirst ? { height: b, width: c, channel: b * c, pixel: 1, factor } : { height: a, width: b, channel: 1, pixel: 3, factor };
}

export function colorPicture(tensor, from) {
  const { height, width, channel, pixel, factor } = colorLayout(tensor);
  const at = (i) => [0, 1, 2].map((each) => from + each * channel + i * pixel);
  const label = `A picture in colours, ${width} wide and ${height} high`;
  const paint = (context) => pixels(context, (i) => at(i).map((each) => factor * tensor.number(each)));
  const tell = (x, y) => `row ${y}, column ${x}: ${at(y * width + x).map((each) => tensor.text(each)).join(", ")}`;
  return viewer({ width, height, label, paint, tell }).element;
}

/** What `draw(context, scale)` draws over the picture that was sent, at a size to see it. */
function over(picture, { draw, tell, label }) {
  const { naturalWidth, naturalHeight } = picture;
  const side = Math.max(naturalWidth, naturalHeight);
  const scale = Math.max(640, Math.min(2048, side)) / side;
  const [width, height] = [naturalWidth, naturalHeight].map((each) => Math.round(each * scale));
  const paint = (context) => {
    context.globalAlpha = 1;
    context.drawImage(picture, 0, 0, width, height);
    draw(context, scale);
  };
  return viewer({ width, height, label: `The picture that was sent, and over it ${label}`, paint, tell: (x, y) => tell(x / scale, y / scale) });
}

/** Whether the last two dimensions have the picture's ratio. */
export function isMask({ shape, isComplex }, { picture }) {
  const [height, width] = shape.slice(-2);
  if (!picture || isComplex || !(Math.min(height, width) >= LEAST_SIDE)) return false;
  const ratio = (width / height) * (picture.naturalHeight / picture.naturalWidth);
  return Math.max(ratio, 1 / ratio) < SIMILAR;
}

/** Of each place the class with the largest value. */
export function classes(tensor, from, { picture, names }) {
  const [count, height, width] = tensor.shape.slice(-3);
  const best = new Uint16Array(height * width);
  for (let k = 1; k < count; k++) {
    best.forEach((each, i) => tensor.number(from + k * best.length + i) > tensor.number(from + each * best.length + i) && (best[i] = k));
  }
  return mask(tensor, picture, classLayer((i) => best[i], best.length, names(count)));
}

/** Whole numbers are classes, others are warm where they are large. */
export function layer(tensor, from, { picture }) {
  const size = tensor.shape.at(-1) * tensor.shape.at(-2);
  if (/int|bool/.test(tensor.type)) return mask(tensor, picture, classLayer((i) => tensor.number(from + i), size, []));
  const scale = tensor.range(from, size);
  const label = `values from ${brief(scale.low)} to ${brief(scale.high)}`;
  return mask(tensor, picture, { label, color: (i) => heat(tensor.number(from + i), scale), tell: (i) => tensor.text(from + i) });
}

function classLayer(classOf, size, names) {
  const counts = new Map();
  for (let i = 0; i < size; i++) counts.set(classOf(i), (counts.get(classOf(i)) ?? 0) + 1);
  const title = (k) => [k, names[k]].join(" ").trim();
  const largest = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 12);
  const words = largest.map(([k, n]) => `${title(k)}: ${brief((100 * n) / size)} %${k ? "" : " (clear)"}`);
  const legend = largest.map(([k], i) => h("span", { class: "c", style: { color: `rgba(${classColor(k)})` } }, h("b", null, words[i])));
  return { color: (i) => classColor(classOf(i)), tell: (i) => title(classOf(i)), label: words.join(", "), legend };
}

function mask({ shape }, picture, { color, tell, label, legend = [] }) {
  const [rows, columns] = shape.slice(-2);
  const drawn = h("canvas", { width: columns, height: rows });
  pixels(drawn.getContext("2d"), color);
  const opacity = slider("Opacity of the mask", { max: 1, value: 0.6, oninput: () => view.repaint() });
  const draw = (context) => {
    context.globalAlpha = opacity.lastChild.value;
    context.imageSmoothingEnabled = false;
    context.drawImage(drawn, 0, 0, context.canvas.width, context.canvas.height);
  };
  const at = (x, y) => [Math.floor((x * columns) / picture.naturalWidth), Math.floor((y * rows) / picture.naturalHeight)];
  const tellAt = (column, row) => `row ${row}, column ${column}: ${tell(row * columns + column)}`;
  const view = over(picture, { draw, label, tell: (x, y) => tellAt(...at(x, y)) });
  return [opacity, view.element, h("div", { class: "row legend" }, legend)];
}

/** The boxes of a dictionary, with scores and labels beside them, over the picture; null where it has none. */
export function boxes({ items }, picture) {
  const isBoxes = ([key, each]) => /box/i.test(key) && each instanceof Tensor && each.shape.at(-1) === 4 && each.size === 4 * each.shape.at(-2);
  const [, found] = items.find(isBoxes) ?? [];
  if (!found || !picture) return null;
  const n = found.size / 4;
  const beside = (pattern) => items.find(([key, each]) => pattern.test(key) && (each.size ?? each.items?.length) === n)?.[1];
  const [scores, labels] = [beside(/score|conf|prob/i), beside(/label|class|name/i)];
  const isShare = found.range().high <= 1;
  const all = Array.from({ length: n }, (_, i) => {
    const corners = [0, 1, 2, 3].map((k) => found.number(4 * i + k));
    const label = labels && (labels.text?.(i) ?? strings(labels)[i]);
    const score = scores?.number?.(i);
    const [right, down] = isShare ? [picture.naturalWidth, picture.naturalHeight] : [1, 1];
    const at = corners.map((each, k) => each * (k % 2 ? down : right));
    return { i, corners, at, score, name: [label, score && brief(score)].filter(Boolean).join(" "), color: `rgb(${classColor((labels?.number?.(i) ?? i) + 1).slice(0, 3)})` };
  });
  const inside = (x, y, [a, b, c, d]) => x >= a && x <= c && y >= b && y <= d;
  const view = over(picture, {
    label: `${n} boxes; the table names them`,
    draw: (context, scale) => all.forEach((each) => box(context, scale, each)),
    tell: (x, y) => all.filter(({ at }) => inside(x, y, at)).map(({ i, name }) => `box ${i} ${name}`).join(", ") || "no box",
  });
  const rows = all.slice(0, SHOWN).map(({ i, name, corners }) => [String(i), name, ...corners.map(brief)]);
  return [view.element, table("Boxes", ["box", "what", "left", "top", "right", "bottom"], rows), leftOut(n - SHOWN, "row")];
}

/** Faint where its score is low. */
function box(context, scale, { at, score = 1, name, color }) {
  const [left, top, right, bottom] = at.map((each) => each * scale);
  context.globalAlpha = Math.max(0.2, Math.min(1, score));
  Object.assign(context, { strokeStyle: color, fillStyle: color, lineWidth: 3, font: "16px sans-serif" });
  context.strokeRect(left, top, right - left, bottom - top);
  context.fillRect(left, top, context.measureText(name).width + 8, 22);
  context.fillStyle = "#000";
  context.fillText(name, left + 4, top + 16);
}
