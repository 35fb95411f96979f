/** What was sent in this session: as much as fits in the bounds, the oldest go. */
import { h, plain, replace, row } from "./dom.js";
import { duration } from "./format.js";

const ENTRIES = 50;
const CHARACTERS = 50e6;

/** `actions`: {name: function of an outcome}. */
export function createHistory(actions) {
  let entries = []; // newest first
  const list = h("ol", { class: "history" });
  const element = h("details", { hidden: true }, h("summary", null, "History of this session"), list);
  const add = (outcome) => {
    let room = CHARACTERS;
    const fits = ({ text, sent_bytes }, i) => (room -= text.length + sent_bytes) >= 0 || i === 0;
    entries = [outcome, ...entries].slice(0, ENTRIES).filter(fits);
    element.hidden = false;
  };
  return { element, add, mark: (shown) => replace(list, entries.map((each) => entry(each, each === shown, actions))) };
}

function entry(outcome, isShown, actions) {
  const { time, model, method, status, ms } = outcome;
  const words = `${time.toLocaleTimeString()} ${model} ${method}: ${status || "no response"}, ${duration(ms / 1000)}`;
  const buttons = Object.entries(actions).map(([name, action]) => plain(name, () => action(outcome), { ariaLabel: `${name}: ${words}` }));
  return h("li", { ariaCurrent: isShown ? "true" : null }, row(words, buttons));
}
