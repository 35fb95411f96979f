/** Two results beside each other, and how far apart they are. */
import { STEPS, timingOf } from "./timing.js";
import { Tensor, brief } from "./tensor.js";
import { bytes, count, duration } from "./format.js";
import { dataTable } from "./table.js";
import { h } from "./dom.js";

/** Two outcomes, their results (null: none), and the drawings of these. */
export function comparison(outcomes, [a, b], drawings) {
  const found = { values: 0, differing: 0, unlike: [] };
  if (a && b) compare(a, b, "", found);
  else found.unlike.push("One of them has no result.");
  const heads = outcomes.map(({ time, model }) => `${time.toLocaleTimeString()} ${model}`);
  return [
    h("ul", null, sentences(found).map((each) => h("li", null, each))),
    dataTable("Both requests", ["", ...heads], facts(outcomes)),
    h("div", { class: "grid" }, drawings.map((each, i) => h("section", { class: "card" }, h("h2", null, heads[i]), each))),
  ];
}

function facts(outcomes) {
  const steps = outcomes.map((each) => Object.fromEntries(timingOf(each).steps));
  const row = (name, tell) => [name, ...outcomes.map((each, i) => String(tell(each, i)))];
  return [
    row("Status", ({ status }) => status || "no response"),
    row("Time", ({ ms }) => duration(ms / 1000)),
    ...Object.keys({ ...steps[0], ...steps[1] }).map((name) => row(STEPS[name], (_, i) => duration(steps[i][name] / 1000))),
    row("Size", ({ size }) => bytes(size)),
  ];
}

function compare(a, b, path, found) {
  const [one, other] = [titleOf(a), titleOf(b)];
  if (one !== other) found.unlike.push(`${path || "Result"}: ${one}, and ${other}`);
  else if (a instanceof Tensor) compareTensors(a, b, path, found);
  else if (a.items) a.items.forEach(([key, each], i) => compare(each, b.items[i][1], `${path}/${key}`, found));
  else {
    found.values++;
    if (a.string !== b.string) found.differing++;
  }
}

/** What two values must have in common to be compared further. */
function titleOf(value) {
  if (value.items) return `${value.name} of ${value.items.map(([key]) => key).join(", ")}`;
  return value.title ?? (value.none ? "none" : "text");
}

function compareTensors(a, b, path, found) {
  found.values += a.size;
  for (let i = 0; i < a.size; i++) {
    const absolute = a.distance(b, i);
    if (absolute === 0) continue;
    found.differing++;
    const relative = absolute / Math.max(Math.abs(a.number(i)), Math.abs(b.number(i)));
    for (const [kind, size] of Object.entries({ absolute, relative })) {
      if (!(size > (found[kind]?.size ?? 0))) continue; // NaN: what is not finite has no ratio
      found[kind] = { size, place: `${path}${a.place(i)}: ${a.text(i)} and ${b.text(i)}` };
    }
  }
}

function sentences({ values, differing, unlike, absolute, relative }) {
  if (!differing && !unlike.length) return ["The same result"];
  return [
    ...unlike,
    differing && `${differing.toLocaleString("en")} of ${count(values, "value")} differ`,
    absolute && `Largest absolute difference ${brief(absolute.size)} at ${absolute.place}`,
    relative && `Largest relative difference ${brief(100 * relative.size)} % at ${relative.place}`,
  ].filter(Boolean);
}
