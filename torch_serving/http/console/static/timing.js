/** Where the time of a request went: the server's steps, and the network as the rest. */
import { h, s } from "./dom.js";
import { duration } from "./format.js";

const STEPS = {
  queue: "Queue", decode: "Decode", copy: "Copy", forward: "Forward", encode: "Encode",
  server: "Rest of the server", network: "Network and browser",
};

/** [[name, ms], …] of an outcome's Server-Timing, and the size of its batch. */
export function timesOf({ headers, ms }) {
  const header = headers["server-timing"] ?? "";
  const told = {};
  for (const [, name, dur] of header.matchAll(/(\w+);dur=([\d.]+)/g)) told[name] = Number(dur);
  const sum = Object.keys(STEPS).reduce((all, name) => all + (told[name] ?? 0), 0);
  const total = Math.max(sum, told.total ?? 0);
  if (total) Object.assign(told, { server: total - sum, network: ms - total });
  const times = Object.keys(STEPS).filter((name) => told[name] > 0).map((name) => [STEPS[name], told[name]]);
  return { times, batch: header.match(/batch;desc="?(\d+)/)?.[1] };
}

/** A bar, and the same in words. */
export function timing(outcome) {
  const { times, batch } = timesOf(outcome);
  const words = times.map(([name, ms]) => `${name} ${duration(ms / 1000)}`);
  let x = 0;
  const color = times.map(([name]) => `c${Object.values(STEPS).indexOf(name) + 1}`);
  const parts = times.map(([, ms], i) => s("rect", { class: color[i], x: (x += ms) - ms, width: ms, height: 1 }));
  const bar = { class: "steps", viewBox: `0 0 ${x} 1`, preserveAspectRatio: "none", role: "img", ariaLabel: words.join(", ") };
  const legend = words.map((text, i) => h("span", { class: color[i] }, h("b", null, text)));
  const together = batch && h("span", null, `Batch of ${batch}`);
  return [x > 0 && s("svg", bar, parts), h("div", { class: "row legend" }, legend, together)];
}
