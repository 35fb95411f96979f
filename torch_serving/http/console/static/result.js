/** Answers: status, time in steps, the result as a person reads it, the raw text, and those before. */
import { load, parsed } from "./api.js";
import { codeBlock, fold } from "./blocks.js";
import { announce, button, h, replace, row } from "./dom.js";
import { parse, read } from "./envelopes.js";
import { bytes, duration } from "./format.js";
import { createHistory } from "./history.js";
import { errorBox } from "./parts.js";
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

/** {element, pending(), show(outcome)}. `onReuse(outcome)` fills the form. */
export function createResults({ onReuse }) {
  const area = h("div");
  let shown = null;
  let turn = 0;
  const draw = async (text, make) => {
    const mine = ++turn;
    area.style.minHeight = `${area.clientHeight}px`; // or what is below would jump
    replace(area, h("p", { class: "pending" }, text));
    const made = await make?.().catch(({ message }) => errorBox("This can't be drawn", message));
    if (!made || mine !== turn) return;
    replace(area, made);
    area.style.minHeight = "";
  };
  const show = (outcome) => {
    history.mark((shown = outcome));
    return draw(`Reading ${bytes(outcome.size)}`, () => answer(outcome));
  };
  const compare = (outcome) => draw("Comparing", () => compared([shown, outcome]));
  const history = createHistory({ Show: show, Compare: compare, "Reuse inputs": onReuse });
  return {
    element: h("section", { class: "answer", ariaLabel: "Answer" }, area, history.element),
    pending: () => draw("Waiting for the answer"),
    show({ bytes: body, ...outcome }) {
      const kept = { ...outcome, size: body?.length ?? outcome.text.length };
      history.add(kept);
      announce(`${kept.status || "No response"} in ${duration(kept.ms / 1000)}`);
      return show(kept);
    },
  };
}

async function answer(outcome) {
  const { status, model, ms, size } = outcome;
  const { value, drawing } = await drawn(outcome);
  const badge = h("span", { class: `badge ${value ? "ok" : "bad"}` }, String(status || "no response"));
  const facts = h("span", null, `${model}, ${duration(ms / 1000)}, ${bytes(size)}`);
  return [row(badge, facts), timing(outcome), drawing, raw(outcome)];
}

/** {value, drawing}; of an error no value. */
async function drawn(outcome) {
  const { status, text } = outcome;
  if (status !== 200) return { drawing: failure(outcome, parsed(text)) };
  await new Promise((resolve) => setTimeout(resolve, TO_PAINT_MS)); // a large text takes a while
  const { render } = await load("render");
  const document = parse(text);
  const value = document ? read("result" in document ? document.result : document) : { string: text };
  return { value, drawing: render(value, { picture: await pictureOf(outcome), names: () => [] }) };
}

/** The first picture that was sent, ready to be drawn. */
async function pictureOf({ inputs }) {
  const sent = Object.values(inputs).find((each) => each?.type === "image");
  const picture = sent && h("img", { src: `data:image/png;base64,${sent.value}` });
  return picture?.decode().then(() => picture, () => null);
}

async function compared(outcomes) {
  const { comparison } = await load("compare");
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
  const save = () => {
    const href = URL.createObjectURL(new Blob([text]));
    h("a", { href, download: `${model}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(href), TO_SAVE_MS);
  };
  const more = text.length > RAW && h("p", { class: "quiet" }, `The first ${bytes(RAW)}; the download has all.`);
  const inside = () => [codeBlock(text.slice(0, RAW), "Raw answer"), more, button("Download", save)];
  return text && fold(`Raw answer, ${bytes(size)}`, inside, { class: "raw" });
}
