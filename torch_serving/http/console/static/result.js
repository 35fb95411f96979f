/** Answers: status, time in steps, the result as a person reads it, the raw text, and those before. */
import { announce, h, replace } from "./dom.js";
import { bytes, duration } from "./format.js";
import { codeBlock, errorBox } from "./parts.js";
import { parse, read } from "./envelopes.js";
import { createHistory } from "./history.js";
import { timing } from "./timing.js";

const RAW = 200_000; // characters
const TO_PAINT_MS = 30;
const TO_SAVE_MS = 60_000;
const TRIES = {
  401: "Reload the page, and type a key that the server knows.",
  404: "Models shows what is there.",
  413: "Send less at once, or start the server with a larger --max-body.",
  500: "Try other inputs. The server's log has more, under the id of the request.",
  503: "Wait, then send again.",
  504: "Send less at once, or start the server with a longer --request-timeout.",
};

/** {element, pending(), show(outcome)}; of outcomes, `document` is not read. `onReuse(outcome)` fills the form. */
export function createResults({ onReuse }) {
  const area = h("div");
  let shown = null;
  let turn = 0;
  const draw = async (text, make) => {
    const mine = ++turn;
    replace(area, h("p", { class: "pending" }, text));
    const made = await make?.().catch(({ message }) => errorBox("This can't be drawn", message));
    if (made && mine === turn) replace(area, made);
  };
  const show = (outcome) => {
    history.mark((shown = outcome));
    return draw(`Reading ${bytes(outcome.size)}`, () => answer(outcome));
  };
  const compare = (outcome) => draw("Comparing", () => compared([shown, outcome]));
  const history = createHistory({ Show: show, Compare: compare, "Reuse inputs": onReuse });
  return {
    element: h("section", { class: "answer", "aria-label": "Answer" }, area, history.element),
    pending: () => draw("Waiting for the answer"),
    show({ text = "", ...outcome }) {
      const kept = { ...outcome, text, size: outcome.bytes?.length ?? text.length, bytes: null, document: null };
      history.add(kept);
      announce(`${kept.status || "No response"} in ${duration(kept.ms / 1000)}`);
      return show(kept);
    },
  };
}

async function answer(outcome) {
  const { status, text, model, ms, size } = outcome;
  const { value, drawing } = await drawn(outcome);
  const badge = h("span", { class: `badge ${value ? "ok" : "bad"}` }, String(status || "no response"));
  const line = h("p", { class: "row" }, badge, h("span", null, `${model}, ${duration(ms / 1000)}, ${bytes(size)}`));
  return [line, timing(outcome), drawing, text && raw(outcome)];
}

/** {value, drawing}; of an error no value. */
async function drawn(outcome) {
  const { status, text } = outcome;
  if (!(status >= 200 && status < 300)) return { drawing: failure(outcome, parse(text)) };
  await new Promise((resolve) => setTimeout(resolve, TO_PAINT_MS)); // a large text takes a while
  const { render } = await import("./render.js");
  const document = parse(text);
  const value = document ? read("result" in document ? document.result : document) : { string: text };
  return { value, drawing: render(value, { picture: await pictureOf(outcome), names: () => [] }) };
}

/** The first picture that was sent, ready to be drawn; it is kept, as its URL may not last. */
async function pictureOf(outcome) {
  const [src] = Object.values(outcome.pictures ?? {});
  if (src && !outcome.picture) {
    const picture = Object.assign(new Image(), { src });
    outcome.picture = await picture.decode().then(() => picture, () => null);
  }
  return outcome.picture;
}

async function compared(outcomes) {
  const { comparison } = await import("./compare.js");
  return comparison(outcomes, await Promise.all(outcomes.map(drawn)));
}

/** An error: what was wrong, where, and what to do. */
function failure({ status, headers, text, problem }, document) {
  if (!status) return errorBox("No response", problem);
  const detail = String(document?.detail ?? document?.error ?? (document ? "" : text.slice(0, 2000)));
  const [field] = detail.match(/^\/[^\s:]*/) ?? [];
  const facts = {
    Field: field,
    Try: TRIES[status] ?? (field && "Change this field to what the sentence says."),
    "Try again in": headers["retry-after"] && `${headers["retry-after"]} s`,
    Request: headers["x-request-id"],
    Trace: document?.trace,
  };
  const list = Object.entries(facts).map(([name, fact]) => fact && [h("dt", null, name), h("dd", null, fact)]);
  return [errorBox(document?.description ?? `Status ${status}`, detail), h("dl", null, list)];
}

function raw({ text, model, size }) {
  const inside = h("div");
  const save = () => {
    const href = URL.createObjectURL(new Blob([text]));
    h("a", { href, download: `${model}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(href), TO_SAVE_MS);
  };
  const ontoggle = () => {
    if (inside.hasChildNodes()) return;
    const more = text.length > RAW && h("p", { class: "quiet" }, `The first ${bytes(RAW)}; the download has all.`);
    const download = h("button", { type: "button", onclick: save }, "Download");
    replace(inside, codeBlock(text.slice(0, RAW), "Raw answer"), more, download);
  };
  return h("details", { class: "raw", ontoggle }, h("summary", null, `Raw answer, ${bytes(size)}`), inside);
}
