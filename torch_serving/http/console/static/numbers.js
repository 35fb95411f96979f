/** Numbers as tables and bars. */
import { h } from "./dom.js";
import { count } from "./format.js";
import { table } from "./table.js";

const ROWS = 100;
const COLUMNS = 50;
export const ALL = 32; // bars of longer vectors are sorted
const LARGEST = 20;

export const leftOut = (n, word) =>
  n > 0 && h("p", { class: "quiet" }, `${count(n, `more ${word}`)} not shown; the raw answer has all.`);

const upTo = (length, limit, make) => Array.from({ length: Math.min(length, limit) }, (_, i) => make(i));

/** The last two dimensions of a tensor from an element on; a vector stands upright. */
export function matrixTable(tensor, from, names) {
  const [rows, columns] = tensor.shape.length > 1 ? tensor.shape.slice(-2) : [tensor.size, 1];
  const named = (i) => [i, names[i]].join(" ").trim();
  const heads = columns === 1 ? ["value"] : upTo(columns, COLUMNS, named);
  const cells = (y) => upTo(columns, COLUMNS, (x) => tensor.text(from + y * columns + x));
  const body = upTo(rows, ROWS, (y) => [columns === 1 ? named(y) : y, ...cells(y)]);
  return [table(tensor.title, ["index", ...heads], body).element, leftOut(rows - ROWS, "row"), leftOut(columns - COLUMNS, "column")];
}

/** A vector's values as bars, the largest named. */
export function bars(tensor, from, names) {
  const length = tensor.shape.at(-1);
  const { low, high, odd } = tensor.range(from, length);
  const best = tensor.largest(from, length, LARGEST);
  const numbered = (i) => (names.length ? `${names[i - from]} (${i - from})` : String(i - from));
  const named = tensor.name === "dictionary" ? (i) => names[i] : numbered;
  const [least, span] = [Math.min(low, 0), Math.max(high, 0) - Math.min(low, 0) || 1];
  const percent = (part) => `${(100 * part) / span}%`;
  const bar = (value) => {
    const style = { width: percent(Math.abs(value)), "margin-left": percent(Math.min(value, 0) - least) };
    return Number.isFinite(value) ? h("div", { class: "amount", style }) : "";
  };
  const shown = length > ALL ? best : upTo(length, ALL, (i) => from + i);
  const rows = shown.map((i) => [named(i), tensor.text(i), bar(tensor.number(i))]);
  const largest = best.length > 0 && h("p", null, "Largest: ", h("strong", null, named(best[0])), ` with ${tensor.text(best[0])}`);
  const sorted = length > ALL && `The ${rows.length} largest of ${length}; the table has them in order. `;
  const note = h("p", { class: "quiet" }, sorted, odd > 0 && `${odd} not finite`);
  return [largest, table(tensor.title, ["index", "value", "bar"], rows).element, note];
}
