/** The view of the last ten minutes. */
import { Chart, SPAN_S } from "./chart.js";
import { h } from "./dom.js";
import { bytes, duration, number } from "./format.js";
import { difference, quantile, sum } from "./stats.js";

const SMOOTHED = 5; // samples: percentiles of two seconds would tremble
const REASONS = 5;
const all = (sample) => sum(sample.codes);

/** Of each chart: its title, how values are written, and its lines: [name, values]. */
const CHARTS = [
  ["Requests a second", number, (past) => [["all", past.rate(all)], ["not 200", past.rate((each) => all(each) - (each.codes[200] ?? 0))]]],
  ["Response time", duration, (past, { bounds_s }) => [0.5, 0.95, 0.99].map((share) => [`p${100 * share}`, past.quantiles(bounds_s, share)])],
  ["Errors a second, by reason", number, (past) => past.reasons().map((kind) => [kind.replaceAll("_", " "), past.rate((each) => each.errors[kind] ?? 0)])],
  ["Queue", number, (past) => [["waiting", past.values("queue")], ["refused a second", past.rate((each) => each.rejected)]]],
  ["Requests in a batch", number, (past, { sizes }) => [["mean", past.meanBatch()], ["up to", past.largestBatch(sizes)]]],
  ["Threads and cores", number, (past) => [["threads busy", past.values("busy")], ["threads", past.values("threads")], ["cores used", past.rate((each) => each.cpu_s)]]],
  ["Memory", bytes, (past) => [["processes", past.values("resident_bytes")], ...past.devices()]],
];

export function create(stats) {
  const charts = CHARTS.map(([title, format]) => new Chart(title, format));
  const element = h("section", null, h("h1", null, "Live"), h("div", { class: "grid" }, charts.map((each) => each.element)));
  const update = ({ history, start }) => {
    const past = new Past(history);
    CHARTS.forEach(([, , lines], i) => charts[i].update(past.times, past.times.length ? lines(past, start) : []));
  };
  let leave = null;
  return { element, show: () => (leave ??= stats.subscribe(update)), hide: () => (leave = leave() && null) };
}

/** The samples of the last ten minutes, each beside the one before it. */
class Past {
  constructor(history) {
    this.samples = history.filter((each) => each.t > history.at(-1).t - SPAN_S);
    this.times = this.samples.map((each) => each.t);
    this.last = this.samples.at(-1);
  }

  map(value) {
    return this.samples.map((now, i) => (i ? value(now, this.samples[i - 1], i) : null));
  }

  values(name) {
    return this.samples.map((each) => each[name]);
  }

  /** How fast a counter grows; null where the server has started again. */
  rate(counter) {
    return this.map((now, before) => (counter(now) >= counter(before) ? (counter(now) - counter(before)) / (now.t - before.t) : null));
  }

  quantiles(bounds, share) {
    return this.map((now, _, i) => quantile(difference(now.seconds, this.samples[Math.max(0, i - SMOOTHED)].seconds), bounds, share));
  }

  /** The reasons of most errors of these ten minutes. */
  reasons() {
    const grown = (kind) => this.last.errors[kind] - (this.samples[0].errors[kind] ?? 0);
    return Object.keys(this.last.errors).filter(grown).sort((a, b) => grown(b) - grown(a)).slice(0, REASONS);
  }

  meanBatch() {
    return this.map((now, before) => (now.batched - before.batched) / (sum(now.batches) - sum(before.batches)) || null);
  }

  largestBatch(sizes) {
    return this.map((now, before) => sizes[difference(now.batches, before.batches).findLastIndex(Boolean)] ?? null);
  }

  devices() {
    return Object.keys(this.last.device_bytes).map((name) => [name, this.samples.map((each) => each.device_bytes[name] ?? null)]);
  }
}
