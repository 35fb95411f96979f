/** What long things stand in: code that can be copied, and details that are made late. */
import { announce, h, plain, replace, write } from "./dom.js";

/** A text in a box of code, with a button that copies it. */
export function codeBlock(text, label) {
  const copy = plain("Copy", async () => {
    await copyText(text);
    write(copy, "Copied");
    announce(`Copied: ${label}`);
    setTimeout(() => write(copy, "Copy"), 1500);
  }, { ariaLabel: `Copy: ${label}` });
  return h("div", { class: "code" }, h("pre", { tabIndex: 0, role: "region", ariaLabel: label }, h("code", null, text)), copy);
}

/** Beyond loopback without TLS, or where it is not allowed, browsers have no clipboard but the old way. */
async function copyText(text) {
  if (await navigator.clipboard?.writeText(text).then(() => true, () => false)) return;
  const area = h("textarea", { class: "unseen", value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Details whose inside is made when they are first opened. */
export function fold(summary, make, attributes) {
  const inside = h("div");
  const ontoggle = ({ target }) => target.open && !inside.hasChildNodes() && replace(inside, make());
  return h("details", { ontoggle, ...attributes }, h("summary", null, summary), inside);
}
