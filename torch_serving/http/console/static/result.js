/** Answers: status, time in steps, the result as a person reads it, the raw text, and those before. */
import { announce, h, replace } from "./dom.js";
import { bytes, duration } from "./format.js";
import { parse, read } from "./envelopes.js";
import { codeBlock, errorBox } from "./parts.js";
import { createHistory } from "./history.js";
import { failure } from "./failure.js";
import { timing } from "./timing.js";

const RAW = 200_000; // characters
const TO_PAINT_MS = 30;
const KEPT_MS = 60_000; // until a download has begun

/**
 * {element, pending(), show(outcome)}; `onReuse(outcome)` puts its inputs back into the form.
 * Results are read from the text of an outcome: its `document` is not needed.
 */
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
    show({ status, ms, text = "", ...rest }) {
      announce(`${status || "No response"} in ${duration(ms / 1000)}`);
      const size = rest.bytes?.length ?? text.length;
      const kept = { ...rest, status, ms, text, size, bytes: null, document: null }; // what is in the text
      history.add(kept);
      return show(kept);
    },
  };
}

function isGood({ status }) {
  return status >= 200 && status < 300;
}

async function answer(outcome) {
  const { status, text, model, ms, size } = outcome;
  const badge = h("span", { class: `badge ${isGood(outcome) ? "ok" : "bad"}` }, String(status || "no response"));
  const line = h("p", { class: "row" }, badge, h("span", null, `${model}, ${duration(ms / 1000)}, ${bytes(size)}`));
  const { value, drawing } = await drawn(outcome);
  return [line, timing(outcome), value ? drawing : failure(outcome, parse(text)), text && raw(outcome)];
}

/** {value, drawing} of a result; nothing of an error. */
async function drawn(outcome) {
  if (!isGood(outcome)) return {};
  await new Promise((resolve) => setTimeout(resolve, TO_PAINT_MS)); // a large text takes a while
  const document = parse(outcome.text);
  const { render } = await import("./render.js");
  const value = document ? read("result" in document ? document.result : document) : { string: outcome.text };
  return { value, drawing: render(value, { picture: await pictureOf(outcome), labels: () => null }) };
}

/** The first picture that was sent, ready to be drawn; it is kept, as its URL may not last. */
async function pictureOf(outcome) {
  const [src] = Object.values(outcome.pictures ?? {});
  if (!src || outcome.picture) return outcome.picture ?? null;
  const picture = Object.assign(new Image(), { src });
  return (outcome.picture = await picture.decode().then(() => picture, () => null));
}

async function compared(outcomes) {
  const { comparison } = await import("./compare.js");
  const both = await Promise.all(outcomes.map(drawn));
  return comparison(outcomes, both.map(({ value }) => value), both.map(({ drawing }) => drawing));
}

function raw({ text, model, size }) {
  const inside = h("div");
  const download = h("button", { type: "button", onclick: () => save(text, `${model}.json`) }, "Download");
  const ontoggle = () => {
    if (inside.hasChildNodes()) return;
    const more = text.length > RAW && h("p", { class: "quiet" }, `The first ${bytes(RAW)}; the download has all.`);
    replace(inside, codeBlock(text.slice(0, RAW), "Raw answer"), more, download);
  };
  return h("details", { class: "raw", ontoggle }, h("summary", null, `Raw answer, ${bytes(size)}`), inside);
}

function save(text, name) {
  const href = URL.createObjectURL(new Blob([text]));
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
}
