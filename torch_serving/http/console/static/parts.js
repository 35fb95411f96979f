/** Components that several views show. */
import { announce, h, write } from "./dom.js";

let ids = 0;

/** An id that the page has not had yet. */
export const newId = () => `id-${++ids}`;

/** A text in a box of code, with a button that copies it. */
export function codeBlock(text, label = "Code") {
  const onclick = async () => {
    await copyText(text);
    write(button, "Copied");
    announce(`Copied: ${label}`);
    setTimeout(() => write(button, "Copy"), 1500);
  };
  const button = h("button", { type: "button", class: "plain", "aria-label": `Copy: ${label}`, onclick }, "Copy");
  const code = h("pre", { tabIndex: 0, role: "region", "aria-label": label }, h("code", null, text));
  return h("div", { class: "code" }, code, button);
}

/** Beyond loopback without TLS, browsers have no clipboard but the old way. */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "unseen", value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** What went wrong, said at once by screen readers. */
export function errorBox(title, detail) {
  return h("div", { class: "error", role: "alert" }, h("strong", null, title), detail && h("p", null, detail));
}

/** What a response that is no success says of itself. */
export function problemOf(response) {
  const { description, error, detail = "" } = response.json() ?? {};
  return { title: description ?? error ?? `The server answered ${response.status}`, detail };
}

/** A table whose columns are [title, text of a row]; update(rows) writes what differs. */
export function table(caption, columns) {
  const body = h("tbody");
  const head = columns.map(([title], i) => h("th", { scope: "col", class: i ? "number" : "" }, title));
  const emptyRow = () => h("tr", null, columns.map((_, i) => (i ? h("td", { class: "number" }) : h("th", { scope: "row" }))));
  const whole = h("table", { class: "data" }, h("caption", null, caption), h("thead", null, h("tr", null, head)), body);
  const update = (rows) => {
    while (body.rows.length > rows.length) body.lastChild.remove();
    rows.forEach((row, y) => {
      const { cells } = body.rows[y] ?? body.appendChild(emptyRow());
      columns.forEach(([, text], x) => write(cells[x], String(text(row))));
    });
  };
  return { element: h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, whole), update };
}

/** A dialog; resolves with the value of the button that closed it, "" where it was dismissed. */
export function ask(title, content, ...buttons) {
  const heading = h("h2", { id: newId() }, title);
  const form = h("form", { method: "dialog" }, heading, content, h("div", { class: "row end" }, buttons));
  const dialog = h("dialog", { "aria-labelledby": heading.id }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    }),
  );
}
