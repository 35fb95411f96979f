/** Components that several views show. */
import { announce, h } from "./dom.js";

let ids = 0;

/** An id that the page has not had yet. */
export function newId() {
  return `id-${++ids}`;
}

/** A text in a box of code, with a button that copies it. */
export function codeBlock(text, label = "Code") {
  const copy = h("button", { type: "button", class: "plain", "aria-label": `Copy: ${label}` }, "Copy");
  copy.addEventListener("click", async () => {
    await copyText(text);
    copy.textContent = "Copied";
    announce(`Copied: ${label}`);
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  const code = h("pre", { tabIndex: 0, role: "region", "aria-label": label }, h("code", null, text));
  return h("div", { class: "code" }, code, copy);
}

/** The clipboard; beyond loopback without TLS, browsers have only the old way. */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "unseen", value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** What went wrong, said at once to screen readers. */
export function errorBox(title, detail) {
  return h("div", { class: "error", role: "alert" }, h("strong", null, title), detail && h("p", null, detail));
}

/** What a response that is no success says of itself. */
export function problemOf(response) {
  const document = response.json();
  const title = document?.description ?? document?.error ?? `The server answered ${response.status}`;
  return { title, detail: document?.detail ?? "" };
}

/** A dialog; resolves with the value of the button that closed it, "" where it was dismissed. */
export function ask(title, content, ...buttons) {
  const heading = h("h2", { id: newId() }, title);
  const row = h("div", { class: "row end" }, buttons);
  const form = h("form", { method: "dialog" }, heading, content, row);
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

/** Whether the user says yes. */
export async function confirm(title, text, action) {
  const cancel = h("button", { value: "" }, "Cancel");
  const yes = h("button", { value: "yes", class: "danger" }, action);
  return (await ask(title, h("p", null, text), cancel, yes)) === "yes";
}
