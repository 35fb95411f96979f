/** Masks and boxes over the picture that was sent. */
import { h } from "./dom.js";
import { strings } from "./envelopes.js";
import { leftOut } from "./numbers.js";
import { table } from "./table.js";
import { Tensor, brief } from "./tensor.js";
import { classColor, heat, pixels, slider, viewer } from "./viewer.js";

const LEAST_SIDE = 8;
const SIDES = [640, 2048]; // of pictures as they are drawn
const SIMILAR = 1.03; // ratios of sides that were rounded
const SHOWN = 100;
const LEGEND = 12;

/** `draw(context, scale)` draws over the picture, `tell(x, y)` is asked in its pixels. */
function over(picture, { draw, tell, label }) {
  const sides = [picture.naturalWidth, picture.naturalHeight];
  const longest = Math.max(...sides);
  const scale = Math.max(SIDES[0], Math.min(SIDES[1], longest)) / longest;
  const [width, height] = sides.map((each) => Math.round(each * scale));
  const paint = (context) => {
    context.globalAlpha = 1;
    context.drawImage(picture, 0, 0, width, height);
    draw(context, scale);
  };
  const said = `The picture that was sent, and over it ${label}`;
  return viewer({ width, height, label: said, paint, tell: (x, y) => tell(x / scale, y / scale) });
}

/** Whether the last two dimensions have the picture's ratio. */
export function isMask({ shape, isComplex }, { picture }) {
  const [height, width] = shape.slice(-2);
  if (!picture || isComplex || !(Math.min(height, width) >= LEAST_SIDE)) return false;
  const ratio = (width / height) * (picture.naturalHeight / picture.naturalWidth);
  return Math.max(ratio, 1 / ratio) < SIMILAR;
}

/** Of each place the class with the largest value. */
export function classes(tensor, from, context) {
  const [count, height, width] = tensor.shape.slice(-3);
  const best = new Uint16Array(height * width);
  const value = (k, i) => tensor.number(from + k * best.length + i);
  for (let k = 1; k < count; k++) {
    for (let i = 0; i < best.length; i++) if (value(k, i) > value(best[i], i)) best[i] = k;
  }
  return mask(tensor, context, classLayer((i) => best[i], best.length, context.names(count)));
}

/** Whole numbers are classes; others are lighter where they are larger. */
export function layer(tensor, from, context) {
  const size = tensor.shape.at(-1) * tensor.shape.at(-2);
  const value = (i) => tensor.number(from + i);
  if (/int|bool/.test(tensor.type)) return mask(tensor, context, classLayer(value, size, []));
  const scale = tensor.range(from, size);
  const label = `values from ${brief(scale.low)} to ${brief(scale.high)}`;
  return mask(tensor, context, { label, color: (i) => heat(value(i), scale), tell: (i) => tensor.text(from + i) });
}

function classLayer(classOf, size, names) {
  const counts = new Map();
  for (let i = 0; i < size; i++) counts.set(classOf(i), (counts.get(classOf(i)) ?? 0) + 1);
  const title = (k) => [k, names[k]].join(" ").trim();
  const largest = [...counts].sort((a, b) => b[1] - a[1]).slice(0, LEGEND);
  const words = largest.map(([k, n]) => `${title(k)}: ${brief((100 * n) / size)} %${k ? "" : " (clear)"}`);
  const style = (k) => ({ color: `rgb(${classColor(k)})` });
  const legend = largest.map(([k], i) => h("span", { class: "c", style: style(k) }, h("b", null, words[i])));
  return { color: (i) => classColor(classOf(i)), tell: (i) => title(classOf(i)), label: words.join(", "), legend };
}

function mask({ shape }, { picture }, { color, tell, label, legend = [] }) {
  const [rows, columns] = shape.slice(-2);
  const drawn = h("canvas", { width: columns, height: rows });
  pixels(drawn.getContext("2d"), color);
  const opacity = slider("Opacity of the mask", { max: 1, value: 0.6, oninput: () => view.repaint() });
  const view = over(picture, {
    label,
    draw(context) {
      context.globalAlpha = opacity.control.value;
      context.imageSmoothingEnabled = false;
      context.drawImage(drawn, 0, 0, context.canvas.width, context.canvas.height);
    },
    tell(x, y) {
      const row = Math.floor((y * rows) / picture.naturalHeight);
      const column = Math.floor((x * columns) / picture.naturalWidth);
      return `row ${row}, column ${column}: ${tell(row * columns + column)}`;
    },
  });
  return [opacity, view.element, h("div", { class: "row legend" }, legend)];
}

/** The boxes of a dictionary, with what stands beside them; [] where it has none. */
function boxesOf({ items }, { naturalWidth, naturalHeight }) {
  const isBoxes = ([key, each]) => /box/i.test(key) && each instanceof Tensor && each.shape.at(-1) === 4;
  const [, found] = items.find(isBoxes) ?? [];
  const n = found?.shape.at(-2) ?? 0;
  if (found?.size !== 4 * n) return [];
  const sizeOf = ({ size, items: members }) => size ?? members?.length;
  const beside = (pattern) => items.find(([key, each]) => pattern.test(key) && sizeOf(each) === n)?.[1];
  const [scores, labels] = [beside(/score|conf|prob/i), beside(/label|class|name/i)];
  const unit = found.range().high <= 1 ? [naturalWidth, naturalHeight] : [1, 1]; // shares of the sides
  return Array.from({ length: n }, (_, i) => {
    const corners = [0, 1, 2, 3].map((k) => found.number(4 * i + k));
    const score = scores?.number?.(i);
    const name = [labels?.text?.(i) ?? (labels && strings(labels)[i]), score && brief(score)].filter(Boolean).join(" ");
    return { i, corners, at: corners.map((each, k) => each * unit[k % 2]), score, name, k: labels?.number?.(i) ?? i };
  });
}

/** The picture with the boxes of a dictionary and a table of them, where there are some. */
export function boxes(value, { picture }) {
  const all = picture ? boxesOf(value, picture) : [];
  if (!all.length) return null;
  const isIn = (x, y, [left, top, right, bottom]) => x >= left && x <= right && y >= top && y <= bottom;
  const names = (found) => found.map(({ i, name }) => `box ${i} ${name}`).join(", ");
  const view = over(picture, {
    label: `boxes; the table names them: ${all.length}`,
    draw: (context, scale) => all.forEach((each) => box(context, scale, each)),
    tell: (x, y) => names(all.filter(({ at }) => isIn(x, y, at))) || "no box",
  });
  const rows = all.slice(0, SHOWN).map(({ i, name, corners }) => [i, name, ...corners.map(brief)]);
  const heads = ["box", "what", "left", "top", "right", "bottom"];
  return [view.element, table("Boxes", heads, rows).element, leftOut(all.length - SHOWN, "row")];
}

/** Faint where its score is low. */
function box(context, scale, { at, score = 1, name, k }) {
  const [left, top, right, bottom] = at.map((each) => each * scale);
  const color = `rgb(${classColor(k + 1).slice(0, 3)})`;
  context.globalAlpha = Math.max(0.2, Math.min(1, score));
  Object.assign(context, { strokeStyle: color, fillStyle: color, lineWidth: 3, font: "16px sans-serif" });
  context.strokeRect(left, top, right - left, bottom - top);
  context.fillRect(left, top, context.measureText(name).width + 8, 22);
  context.fillStyle = "#000";
  context.fillText(name, left + 4, top + 16);
}
