/** Errors: what was wrong, where, and what to do. */
import { errorBox } from "./parts.js";
import { h } from "./dom.js";

const SHOWN = 2000; // characters of what is not JSON
const TRIES = {
  401: "Reload the page, and type a key that the server knows.",
  404: "Models shows what is there.",
  413: "Send less at once, or start the server with a larger --max-body-size.",
  500: "Try other inputs. The server's log has more, under the id of the request.",
  503: "Wait, then send again.",
  504: "Send less at once, or start the server with a longer --request-timeout.",
};

export function failure({ status, headers, text, problem }, document) {
  if (!status) return errorBox("No response", problem);
  const detail = document?.detail ?? document?.error ?? (document ? "" : text.slice(0, SHOWN));
  const [, pointer] = String(detail).match(/^(\/[^\s:]*)/) ?? [];
  const advice = TRIES[status] ?? (pointer && "Change this field to what the sentence says.");
  const facts = {
    Field: pointer && h("code", null, pointer),
    Try: advice,
    "Try again in": headers["retry-after"] && `${headers["retry-after"]} s`,
    Request: headers["x-request-id"] && h("code", null, headers["x-request-id"]),
  };
  const list = Object.entries(facts).filter(([, fact]) => fact).map(([name, fact]) => [h("dt", null, name), h("dd", null, fact)]);
  const trace = document?.trace && h("details", null, h("summary", null, "Trace"), h("pre", { tabIndex: 0 }, document.trace));
  return [errorBox(document?.description ?? `Status ${status}`, String(detail)), h("dl", null, list), trace];
}
