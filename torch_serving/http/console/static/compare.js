/** Two results beside each other, and how far apart they are. */
import { h } from "./dom.js";
import { bytes, count, duration } from "./format.js";
import { table } from "./table.js";
import { Tensor, brief, digits, stride } from "./tensor.js";
import { timesOf } from "./timing.js";

/** Two outcomes, and {value, drawing} of each; no value of an error. */
export function comparison(outcomes, [a, b]) {
  const found = { values: 0, differing: 0, unlike: [] };
  if (a.value && b.value) compare(a.value, b.value, "", found);
  else found.unlike.push("One of them has no result.");
  const heads = outcomes.map(({ time, model }) => `${time.toLocaleTimeString()} ${model}`);
  const side = ({ drawing }, i) => h("section", { class: "card" }, h("h2", null, heads[i]), drawing);
  return [
    h("ul", null, sentences(found).map((each) => h("li", null, each))),
    table("Both requests", ["request", ...heads], facts(outcomes)).element,
    h("div", { class: "grid" }, [a, b].map(side)),
  ];
}

function facts(outcomes) {
  const steps = outcomes.map((each) => Object.fromEntries(timesOf(each).times));
  const rows = Object.keys({ ...steps[0], ...steps[1] }).map((name) => [name, ...steps.map((each) => each[name])]);
  const times = [["Time", ...outcomes.map(({ ms }) => ms)], ...rows];
  return [
    ["Status", ...outcomes.map(({ status }) => status)],
    ...times.map(([name, ...each]) => [name, ...each.map((ms) => duration(ms / 1000))]),
    ["Size", ...outcomes.map(({ size }) => bytes(size))],
  ];
}

function compare(a, b, path, found) {
  const [one, other] = [a, b].map(titleOf);
  if (one !== other) found.unlike.push(`${path || "Result"}: ${one}, and ${other}`);
  else if (a instanceof Tensor) compareTensors(a, b, path, found);
  else if (a.items) a.items.forEach(([key, each], i) => compare(each, b.items[i][1], `${path}/${key}`, found));
  else {
    found.values++;
    found.differing += a.string !== b.string;
  }
}

/** What two values must have in common to be compared further. */
const titleOf = ({ items, title, name, none }) =>
  items ? `${name} of ${items.map(([key]) => key).join(", ")}` : (title ?? (none ? "none" : "text"));

function compareTensors({ values, shape, isComplex, size }, { values: others }, path, found) {
  found.values += size;
  for (let i = 0; i < values.length; i++) {
    const [x, y] = [values[i], others[i]];
    if (x === y || Object.is(x, y)) continue;
    found.differing++;
    const apart = Math.abs(Number(typeof x === typeof y ? x - y : Number(x) - Number(y)));
    const absolute = Number.isNaN(apart) ? Infinity : apart;
    const relative = absolute / Math.max(Math.abs(Number(x)), Math.abs(Number(y)));
    for (const [kind, far] of Object.entries({ absolute, relative })) {
      if (!(far > (found[kind]?.far ?? 0))) continue;
      const place = shape.map((each, d) => Math.floor((isComplex ? i >> 1 : i) / stride(shape, d)) % each);
      found[kind] = { far, place: `${path}[${place.join(", ")}]: ${digits(x)} and ${digits(y)}` };
    }
  }
}

function sentences({ values, differing, unlike, absolute, relative }) {
  if (!differing && !unlike.length) return ["The same result"];
  const parts = [
    differing && `${differing.toLocaleString("en")} of ${count(values, "value")} differ`,
    absolute && `Largest absolute difference ${brief(absolute.far)} at ${absolute.place}`,
    relative && `Largest relative difference ${brief(100 * relative.far)} % at ${relative.place}`,
  ];
  return [...unlike, ...parts.filter(Boolean)];
}
