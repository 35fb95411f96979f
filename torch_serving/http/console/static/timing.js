/** Where the time of a request went: the steps of the server, and the network as the rest. */
import { h, s } from "./dom.js";
import { duration } from "./format.js";

export const STEPS = {
  queue: "Queue",
  decode: "Decode",
  copy: "Copy",
  forward: "Forward",
  encode: "Encode",
  server: "Rest of the server",
  network: "Network and browser",
};

/** {steps: [[name, ms], …], batch}; without Server-Timing, nothing is known of them. */
export function timingOf({ headers, ms }) {
  const told = Object.fromEntries((headers["server-timing"] ?? "").split(",").map(metric));
  const known = Object.keys(STEPS).filter((name) => name in told).map((name) => [name, Number(told[name].dur)]);
  const sum = known.reduce((all, [, each]) => all + each, 0);
  const total = Math.max(sum, told.total?.dur ?? 0);
  if (total) known.push(["server", total - sum], ["network", ms - total]);
  return { steps: known.filter(([, each]) => each > 0), batch: told.batch?.desc };
}

/** name;dur=1.5;desc="…" */
function metric(text) {
  const [name, ...parameters] = text.replaceAll('"', "").split(";").map((each) => each.trim());
  return [name, Object.fromEntries(parameters.map((each) => each.split("=")))];
}

/** A bar, and its legend in words. */
export function timing(outcome) {
  const { steps, batch } = timingOf(outcome);
  const words = steps.map(([name, ms]) => `${STEPS[name]} ${duration(ms / 1000)}`);
  const legend = steps.map(([name], i) => h("li", null, h("span", { class: `swatch step-${name}` }), words[i]));
  let x = 0;
  const parts = steps.map(([name, ms]) => s("rect", { class: `step-${name}`, x: (x += ms) - ms, width: ms, height: 1 }));
  const attributes = { class: "steps", viewBox: `0 0 ${x} 1`, preserveAspectRatio: "none", role: "img" };
  const bar = x > 0 && s("svg", { ...attributes, "aria-label": words.join(", ") }, parts);
  return [bar, h("ul", { class: "legend" }, legend, batch && h("li", null, `Batch of ${batch}`))];
}
