/** What was sent in this session: as much as fits in the bounds, the oldest go. */
import { h, replace } from "./dom.js";
import { duration } from "./format.js";

const ENTRIES = 50;
const CHARACTERS = 50e6;

/** `actions`: {Show, Compare, "Reuse inputs"}, each called with an outcome. */
export function createHistory(actions) {
  let entries = []; // newest first
  const list = h("ol", { class: "history" });
  const element = h("details", { hidden: true }, h("summary", null, "History of this session"), list);
  const mark = (shown) => replace(list, entries.map((each) => row(each, each === shown, actions)));
  const add = (outcome) => {
    entries = bounded([outcome, ...entries]);
    element.hidden = false;
  };
  return { element, add, mark };
}

/** As many of the newest as fit; the newest is there in any case. */
function bounded(entries) {
  let room = CHARACTERS;
  const end = entries.findIndex(({ text, sent_bytes }, i) => (room -= text.length + sent_bytes) < 0 && i > 0);
  return entries.slice(0, Math.min(ENTRIES, end < 0 ? ENTRIES : end));
}

function row(outcome, isShown, actions) {
  const { time, model, method, status, ms } = outcome;
  const words = `${time.toLocaleTimeString()} ${model} ${method}: ${status || "no response"}, ${duration(ms / 1000)}`;
  const buttons = Object.entries(actions).map(([name, action]) => {
    const disabled = isShown && name === "Compare";
    return h("button", { type: "button", class: "plain", disabled, "aria-label": `${name}: ${words}`, onclick: () => action(outcome) }, name);
  });
  return h("li", { "aria-current": isShown ? "true" : null }, h("div", { class: "row" }, words, buttons));
}
