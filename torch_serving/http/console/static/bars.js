/** Vectors: bars, the largest named; long ones as a line too. */
import { h, s } from "./dom.js";
import { brief } from "./tensor.js";
import { count } from "./format.js";
import { dataTable } from "./table.js";

const ALL = 32; // longer ones are shown by size
const LARGEST = 20;
const WIDTH = 600;

export function bars(tensor, from, names) {
  const length = tensor.shape.at(-1);
  const range = tensor.range(from, length);
  const best = tensor.largest(from, length, LARGEST);
  const shown = length <= ALL ? Array.from({ length }, (_, i) => from + i) : best;
  const nameOf = (i) => (names ? `${names[i - from]} (${i - from})` : String(i - from));
  const rows = shown.map((i) => [nameOf(i), tensor.text(i), bar(tensor.number(i), range)]);
  return [
    best.length > 0 && h("p", null, "Largest: ", h("strong", null, nameOf(best[0])), ` with ${tensor.text(best[0])}`),
    range.odd > 0 && h("p", { class: "quiet" }, `${count(range.odd, "value")} not finite`),
    length > ALL && profile(tensor, from, range),
    dataTable(tensor.title, ["index", "value", ""], rows),
    length > ALL && h("p", { class: "quiet" }, `The ${rows.length} largest of ${length}; the table has them in order.`),
  ];
}

function bar(value, { low, high }) {
  const [least, most] = [Math.min(low, 0), Math.max(high, 0)];
  const percent = (part) => `${(100 * part) / (most - least || 1)}%`;
  const style = { width: percent(Math.abs(value)), "margin-left": percent(Math.min(value, 0) - least) };
  return Number.isFinite(value) && h("div", { class: "track" }, h("div", { class: "amount", style }));
}

/** All values in order: for each column of the drawing, from the least to the largest. */
function profile(tensor, from, { low, high }) {
  const length = tensor.shape.at(-1);
  const width = Math.min(length, WIDTH);
  const y = (value) => (98 - (96 * (value - low)) / (high - low || 1)).toFixed(1);
  const points = Array.from({ length: width }, (_, x) => {
    const first = Math.floor((x * length) / width);
    const part = tensor.range(from + first, Math.floor(((x + 1) * length) / width) - first);
    return `${x} ${y(part.low)} ${x} ${y(part.high)}`;
  });
  const label = `${length} values in order, from ${brief(low)} to ${brief(high)}`;
  const line = s("path", { d: `M${points.join(" ")}`, "vector-effect": "non-scaling-stroke" });
  return s("svg", { class: "profile", viewBox: `0 0 ${width} 100`, preserveAspectRatio: "none", role: "img", "aria-label": label }, line);
}
