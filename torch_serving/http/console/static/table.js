/** Tables of all views. */
import { h, replace, write } from "./dom.js";

/** A table that scrolls by keyboard too; update(rows) writes what differs. Cells are texts or elements, the first one is the row's name. */
export function table(caption, heads, rows = []) {
  const body = h("tbody");
  const head = h("tr", null, heads.map((each) => h("th", { scope: "col" }, each)));
  const emptyRow = () => h("tr", null, heads.map((_, i) => (i ? h("td") : h("th", { scope: "row" }))));
  const element = h("div", { class: "scroll", tabIndex: 0, role: "region", ariaLabel: caption }, h("table", null, h("thead", null, head), body));
  const update = (all) => {
    while (body.rows.length > all.length) body.lastChild.remove();
    all.forEach((cells, y) => {
      const line = body.rows[y] ?? body.appendChild(emptyRow());
      cells.forEach((cell, x) => (cell instanceof Node ? replace(line.cells[x], cell) : write(line.cells[x], String(cell))));
    });
  };
  update(rows);
  return { element, update };
}
