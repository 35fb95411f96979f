/** Components that several views show. */
import { h } from "./dom.js";

/** What went wrong, said at once by screen readers. */
export function errorBox(title, detail) {
  return h("div", { class: "error", role: "alert" }, h("strong", null, title), detail && h("p", null, detail));
}
