/** Tables, no larger than a page can show. */
import { count } from "./format.js";
import { h } from "./dom.js";

const ROWS = 100;
const COLUMNS = 50;

/** A table that scrolls by keyboard too; the first cell of a row is its name. */
export function dataTable(caption, heads, rows) {
  const head = h("tr", null, heads.map((each) => h(each ? "th" : "td", each && { scope: "col" }, each)));
  const body = rows.map(([name, ...cells]) => h("tr", null, h("th", { scope: "row" }, name), cells.map((each) => h("td", null, each))));
  const table = h("table", { class: "data values" }, h("thead", null, head), h("tbody", null, body));
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, table);
}

/** The last two dimensions of a tensor from an element on; a vector stands upright. */
export function tensorTable(tensor, from, names) {
  const [rows, columns] = tensor.shape.length > 1 ? tensor.shape.slice(-2) : [tensor.size, 1];
  const isUpright = columns === 1;
  const nameOf = (i) => (names ? `${i} ${names[i]}` : String(i));
  const heads = isUpright ? ["value"] : upTo(columns, COLUMNS, nameOf);
  const body = upTo(rows, ROWS, (row) => {
    const cells = upTo(columns, COLUMNS, (column) => tensor.text(from + row * columns + column));
    return [isUpright ? nameOf(row) : String(row), ...cells];
  });
  return [dataTable(tensor.title, ["", ...heads], body), leftOut(rows - ROWS, "row"), leftOut(columns - COLUMNS, "column")];
}

function upTo(length, limit, make) {
  return Array.from({ length: Math.min(length, limit) }, (_, i) => make(i));
}

/** What is not shown is said. */
export function leftOut(n, word) {
  return n > 0 && h("p", { class: "quiet" }, `${count(n, `more ${word}`)} not shown; the raw answer has all.`);
}
