/** A result as a person reads it: what a value is drawn as, and trees folded. */
import { fold } from "./blocks.js";
import { field, h, options, replace, row } from "./dom.js";
import { strings } from "./envelopes.js";
import { count } from "./format.js";
import { ALL, bars, leftOut, matrixTable } from "./numbers.js";
import { boxes, classes, isMask, layer } from "./overlay.js";
import { image, imageOf, isPicture, matrix } from "./picture.js";
import { Tensor, stride } from "./tensor.js";

const ITEMS = 100;
const OPEN = 3; // members that are seen unasked
const TEXT = 100_000; // characters
const SMALL = 256; // elements that are sooner read than seen

const isSmall = (tensor) => tensor.size <= SMALL || !isPicture(tensor);
const named = (draw) => (tensor, from, { names }) => draw(tensor, from, names(tensor.shape.at(-1)));

/** What tensors can be drawn as, best first: name, dimensions of a drawing, where it fits, drawing, where it is best. */
const FORMS = [
  ["Picture in colours", 3, imageOf, image],
  ["Classes over the picture", 3, (tensor, context) => tensor.shape.at(-3) > 1 && isMask(tensor, context), classes],
  ["Mask over the picture", 2, isMask, layer],
  ["Bars", 1, ({ shape }) => shape.at(-1) > 1, named(bars), ({ shape, size }) => shape.at(-1) === size],
  ["Table", 2, () => true, named(matrixTable), isSmall],
  ["Picture", 2, isPicture, matrix],
];

/** `context`: {picture, names(n)}: an image that was sent or null, and the names of n values. */
export function render(value, context) {
  if (value instanceof Tensor) return tensorView(value, context);
  if (value.items) return tree(value, context);
  if (!value.string) return h("p", { class: "quiet" }, value.none ? "none" : "an empty text");
  return [h("p", { class: "text" }, value.string.slice(0, TEXT)), leftOut(value.string.length - TEXT, "character")];
}

function tensorView(tensor, context) {
  const title = !context.isDeep && h("span", { class: "quiet" }, tensor.title);
  if (!tensor.size) return [title, h("p", null, "Empty: a dimension of size 0 has no elements.")];
  if (!tensor.shape.length) return [h("p", { class: "scalar" }, tensor.text(0)), title];
  const forms = FORMS.filter(([, , fits]) => fits(tensor, context));
  const area = h("div");
  const choose = ([, dimensions, , draw]) =>
    replace(area, slices(tensor, dimensions, (from) => draw(tensor, from, context)));
  const first = forms.find(([, , , , isBest]) => !isBest || isBest(tensor));
  const onchange = ({ target }) => choose(forms[target.selectedIndex]);
  const select = h("select", { ariaLabel: "Shown as", value: first[0], onchange }, options(forms.map(([name]) => name)));
  choose(first);
  return [row(title, select), area];
}

/** The last dimensions are drawn; of each other one, a slice is chosen. */
function slices({ shape }, dimensions, draw) {
  const at = shape.slice(0, -dimensions).map(() => 0);
  const area = h("div");
  const update = () => replace(area, draw(at.reduce((sum, each, d) => sum + each * stride(shape, d), 0)));
  const input = (max, d) => {
    const oninput = ({ target }) => {
      if (!target.value || !target.checkValidity()) return;
      at[d] = target.valueAsNumber;
      update();
    };
    return max > 0 && field(`Dimension ${d}, 0 to ${max}`, h("input", { type: "number", min: 0, max, value: 0, oninput }));
  };
  update();
  return [row(at.map((_, d) => input(shape[d] - 1, d))), area];
}

function tree(value, context) {
  const { name, items } = value;
  const words = items.map(([, each]) => strings(each));
  const names = (n) => words.find(({ length }) => n && length === n) ?? context.names(n);
  const inner = { ...context, names, isDeep: true };
  const title = !context.isDeep && h("p", { class: "quiet" }, `${name}, ${count(items.length, "member")}`);
  if (areNumbers(items)) return [title, numbers(items)];
  const members = items.slice(0, ITEMS).map(([key, each], i) => member(key, each, inner, i < OPEN && !context.isDeep));
  return [title, boxes(value, context), members, leftOut(items.length - ITEMS, "member")];
}

/** Whether members are a few numbers of one type, as the scores of classes are. */
function areNumbers(items) {
  const isNumber = ([, each]) => each.name === "scalar" && each.type === items[0][1].type && /int|float/.test(each.type);
  return items.length > 1 && items.length <= ALL && items.every(isNumber);
}

function numbers(items) {
  const values = items.map(([, each]) => each.values[0]);
  const tensor = new Tensor(items[0][1].type, [items.length], values, "dictionary");
  return bars(tensor, 0, items.map(([key]) => key));
}

/** Short ones on a line; others fold, and are drawn when they are first opened. */
function member(key, value, context, open) {
  const [name, line] = [h("strong", null, key), inline(value)];
  if (line) return h("p", { class: "leaf" }, name, " ", line);
  const size = value.items ? `, ${count(value.items.length, "member")}` : "";
  return fold([name, ` ${value.title ?? value.name ?? "text"}${size}`], () => render(value, context), { open });
}

function inline(value) {
  if (value.none) return "none";
  if (value.shape?.length === 0) return `${value.text(0)} (${value.type})`;
  return value.string?.length < 80 && `“${value.string}”`;
}
