/** A result as a person reads it: what a value is drawn as, and trees folded. */
import { Tensor, stride } from "./tensor.js";
import { boxesOf, boxesView } from "./boxes.js";
import { colorLayout, colorPicture, isPicture, matrix } from "./picture.js";
import { h, replace } from "./dom.js";
import { isMask, mask, maskDimensions } from "./overlay.js";
import { leftOut, tensorTable } from "./table.js";
import { bars } from "./bars.js";
import { count } from "./format.js";
import { strings } from "./envelopes.js";

const ITEMS = 100;
const OPEN = 3; // members that are seen unasked
const TEXT = 100_000; // characters
const SMALL = 256; // elements that are sooner read than seen

/** What a tensor can be drawn as, best first; `dimensions`: how many of its last ones a drawing takes. */
const FORMS = [
  { name: "Mask over the picture", fits: isMask, dimensions: maskDimensions, draw: mask },
  { name: "Picture in colours", fits: colorLayout, dimensions: () => 3, draw: colorPicture },
  { name: "Bars", fits: ({ shape }) => shape.at(-1) > 1, isBest: isVector, dimensions: () => 1, draw: named(bars) },
  { name: "Table", fits: () => true, isBest: isSmall, dimensions: ({ shape }) => Math.min(2, shape.length), draw: named(tensorTable) },
  { name: "Picture", fits: isPicture, dimensions: () => 2, draw: matrix },
];

function isVector({ shape, size }) {
  return shape.at(-1) === size;
}

function isSmall(tensor) {
  return tensor.size <= SMALL || !isPicture(tensor);
}

function named(draw) {
  return (tensor, from, { labels }) => draw(tensor, from, labels(tensor.shape.at(-1)));
}

/** `context`: {picture, labels(n)}: an image that was sent or null, and the names of n values or null. */
export function render(value, context) {
  if (value instanceof Tensor) return tensorView(value, context);
  if (value.items) return tree(value, context);
  if (value.none || !value.string) return h("p", { class: "quiet" }, value.none ? "none" : "an empty text");
  return [h("p", { class: "text" }, value.string.slice(0, TEXT)), leftOut(value.string.length - TEXT, "character")];
}

function tensorView(tensor, context) {
  const title = !context.isDeep && h("span", { class: "quiet" }, tensor.title);
  if (!tensor.size) return [title, h("p", null, "Empty: a dimension of size 0 has no elements.")];
  if (!tensor.shape.length) return [h("p", { class: "scalar" }, tensor.text(0)), title];
  const forms = FORMS.filter(({ fits }) => fits(tensor, context));
  const first = forms.find(({ isBest }) => !isBest || isBest(tensor));
  const area = h("div");
  const choose = ({ dimensions, draw }) => replace(area, slices(tensor, dimensions(tensor), (from) => draw(tensor, from, context)));
  const options = forms.map((form) => h("option", { selected: form === first }, form.name));
  const onchange = ({ target }) => choose(forms[target.selectedIndex]);
  choose(first);
  return [h("div", { class: "row" }, title, forms.length > 1 && h("select", { "aria-label": "Shown as", onchange }, options)), area];
}

/** The last dimensions of a tensor are drawn; of each other one, a slice is chosen. */
function slices(tensor, dimensions, draw) {
  const area = h("div");
  const at = tensor.shape.slice(0, -dimensions).map(() => 0);
  const update = () => replace(area, draw(at.reduce((sum, each, d) => sum + each * stride(tensor.shape, d), 0)));
  const field = (_, d) => {
    const max = tensor.shape[d] - 1;
    const oninput = ({ target }) => {
      if (target.value === "" || !target.checkValidity()) return;
      at[d] = target.valueAsNumber;
      update();
    };
    return max > 0 && h("label", { class: "field" }, `Dimension ${d}, 0 to ${max}`, h("input", { type: "number", min: 0, max, value: 0, oninput }));
  };
  update();
  return [h("div", { class: "row" }, at.map(field)), area];
}

function tree(value, context) {
  const { name, items } = value;
  const boxes = context.picture && boxesOf(value);
  const words = items.map(([, each]) => strings(each)).filter(Boolean);
  const inner = { ...context, isDeep: true, labels: (n) => words.find(({ length }) => length === n) ?? context.labels(n) };
  const members = items.slice(0, ITEMS).map(([key, each], i) => member(key, each, inner, i < OPEN && !context.isDeep));
  const title = !context.isDeep && h("p", { class: "quiet" }, `${name}, ${count(items.length, "member")}`);
  return [title, boxes && boxesView(boxes, context.picture), members, leftOut(items.length - ITEMS, "member")];
}

/** Short ones on a line; others fold, and are drawn when they are first opened. */
function member(key, value, context, open) {
  const [name, line] = [h("strong", null, key), inline(value)];
  if (line) return h("p", { class: "leaf" }, name, " ", line);
  const size = value.items ? `, ${count(value.items.length, "member")}` : "";
  const inside = h("div");
  const ontoggle = ({ target }) => target.open && !inside.hasChildNodes() && replace(inside, render(value, context));
  return h("details", { open, ontoggle }, h("summary", null, name, ` ${value.title ?? value.name ?? "text"}${size}`), inside);
}

function inline(value) {
  if (value.none) return "none";
  if (value.shape?.length === 0) return `${value.text(0)} (${value.type})`;
  return value.string?.length < 80 && `“${value.string}”`;
}
