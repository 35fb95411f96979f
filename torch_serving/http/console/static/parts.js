/** Components that several views show. */
import { button, h, row } from "./dom.js";

/** What went wrong, said at once by screen readers. */
export function errorBox(title, detail) {
  return h("div", { class: "error", role: "alert" }, h("strong", null, title), detail && h("p", null, detail));
}

/** A dialog; whether its action was chosen, and not Cancel. */
export function ask(title, content, action, look = "primary") {
  const buttons = [button("Cancel", () => dialog.close()), h("button", { value: "yes", class: look }, action)];
  const dialog = h("dialog", { ariaLabel: title }, h("form", { method: "dialog" }, h("h2", null, title), content, row(buttons)));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    }),
  );
}
