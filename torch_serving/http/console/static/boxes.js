/** Boxes that were found, drawn on the picture that was sent. */
import { Tensor, brief } from "./tensor.js";
import { classColor, css } from "./colors.js";
import { dataTable, leftOut } from "./table.js";
import { h, replace } from "./dom.js";
import { sizeOf } from "./overlay.js";
import { strings } from "./envelopes.js";
import { viewer } from "./viewer.js";

const SHOWN = 100;
const FORMS = {
  "left, top, right, bottom": (a, b, c, d) => [a, b, c, d],
  "left, top, width, height": (a, b, c, d) => [a, b, a + c, b + d],
  "centre, width, height": (a, b, c, d) => [a - c / 2, b - d / 2, a + c / 2, b + d / 2],
};

/** The boxes of a dictionary that has some, as {numbers, score, name, color}; else null. */
export function boxesOf({ items }) {
  const boxes = items.find(([key, each]) => /box/i.test(key) && isBoxes(each))?.[1];
  if (!boxes) return null;
  const n = boxes.shape.at(-2);
  const beside = (pattern) => items.find(([key, each]) => pattern.test(key) && (each.size ?? each.items?.length) === n)?.[1];
  const [scores, labels] = [beside(/score|conf|prob/i), beside(/label|class|name|categor/i)];
  const words = labels && (strings(labels) ?? Array.from({ length: n }, (_, i) => labels.text?.(i)));
  return Array.from({ length: n }, (_, i) => ({
    i,
    numbers: [0, 1, 2, 3].map((k) => boxes.number(4 * i + k)),
    score: scores?.number?.(i),
    name: [words?.[i], scores && brief(scores.number(i))].filter(Boolean).join(" "),
    color: css(classColor(labels?.number?.(i) ?? i)),
  }));
}

function isBoxes(value) {
  return value instanceof Tensor && value.shape.at(-1) === 4 && value.size === 4 * value.shape.at(-2);
}

/** The picture with its boxes, and the boxes as a table. */
export function boxesView(boxes, picture) {
  const area = h("div");
  const form = h("select", { onchange: () => draw() }, Object.keys(FORMS).map((each) => h("option", null, each)));
  const value = boxes.some(({ score }) => score >= 0.5) ? 0.5 : 0; // what hides not all
  const least = h("input", { type: "range", max: 1, step: 0.01, value, oninput: () => draw() });
  const draw = () => {
    const shown = boxes.filter(({ score }) => !(score < least.value));
    replace(area, drawn(shown.map((each) => ({ ...each, corners: FORMS[form.value](...each.numbers) })), picture));
  };
  draw();
  const field = (name, input) => h("label", { class: "field" }, name, input);
  return [h("div", { class: "row" }, field("Numbers of a box", form), boxes[0]?.score >= 0 && field("Least score", least)), area];
}

function drawn(boxes, picture) {
  const [width, height] = sizeOf(picture);
  const isShare = boxes.every(({ numbers }) => numbers.every((each) => Math.abs(each) <= 1));
  const [right, down] = isShare ? [width, height] : [width / picture.naturalWidth, height / picture.naturalHeight];
  const placed = boxes.map(({ corners: [a, b, c, d], ...each }) => ({ ...each, at: [a * right, b * down, c * right, d * down] }));
  const under = (x, y) => placed.filter(({ at }) => x >= at[0] && x <= at[2] && y >= at[1] && y <= at[3]);
  const paint = (context) => {
    context.drawImage(picture, 0, 0, width, height);
    context.lineWidth = Math.max(1, width / 300);
    context.font = `${Math.max(8, width / 40)}px sans-serif`;
    for (const each of placed) box(context, each);
  };
  const view = viewer({
    width,
    height,
    label: `The picture that was sent with ${boxes.length} boxes; the table names them`,
    paint,
    tell: (x, y) => under(x, y).map(({ i, name }) => `box ${i} ${name}`).join(", ") || "no box",
  });
  const rows = boxes.slice(0, SHOWN).map(({ i, name, corners }) => [String(i), name, ...corners.map(brief)]);
  return [view.element, dataTable("Boxes", ["box", "what", "left", "top", "right", "bottom"], rows), leftOut(boxes.length - SHOWN, "row")];
}

function box(context, { at: [left, top, right, bottom], name, color }) {
  context.strokeStyle = context.fillStyle = color;
  context.strokeRect(left, top, right - left, bottom - top);
  const height = parseFloat(context.font) * 1.2;
  context.fillRect(left, top, context.measureText(name).width + 4, height);
  context.fillStyle = "#000";
  context.fillText(name, left + 2, top + height * 0.8);
}
