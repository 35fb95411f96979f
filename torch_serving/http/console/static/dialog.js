/** Dialogs: what is asked before a view goes on. */
import { button, field, h, row } from "./dom.js";

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

/** Ask for the API key; `wrong` is the one that the server did not take. */
export async function askKey(wrong) {
  const input = h("input", { type: "password", autocomplete: "off", required: true });
  const why = wrong ? "The server does not know this key." : "This server asks for a key.";
  const note = h("p", null, why, " It is kept in this page's memory until you leave it.");
  return (await ask("Key", [note, field("API key", input)], "Use key")) && input.value.trim();
}
