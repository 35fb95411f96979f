/** The view of the last ten minutes. */
import { createChart, SPAN_S } from "./chart.js";
import { h } from "./dom.js";
import { bytes, duration, number } from "./format.js";
import { difference, quantile, sum } from "./stats.js";

const SMOOTHED = 5; // samples: percentiles of two seconds would tremble
const REASONS = 5;

/** Of each chart: its title, how values are written, and its lines: [name, values by index]. */
const CHARTS = [
  ["Requests a second", number, (past) => [["all", past.rate((each) => sum(each.codes))], ["not 200", past.rate((each) => sum(each.codes) - (each.codes[200] ?? 0))]]],
  ["Response time", duration, (past, { bounds_s }) => [0.5, 0.95, 0.99].map((share) => [`p${100 * share}`, past.quantiles(bounds_s, share)])],
  ["Errors a second, by reason", number, errors],
  ["Queue", number, (past) => [["waiting", past.each((now) => now.queue)], ["refused a second", past.rate((each) => each.rejected)]]],
  ["Requests in a batch", number, (past, { sizes }) => [["mean", past.ratio((each) => each.batched, (each) => sum(each.batches))], ["up to", past.largest(sizes)]]],
  ["Threads and cores", number, (past) => [["threads busy", past.each((now) => now.busy)], ["threads", past.each((now) => now.threads)], ["cores used", past.rate((each) => each.cpu_s)]]],
  ["Memory", bytes, (past) => [["processes", past.each((now) => now.resident_bytes)], ...devices(past)]],
];

export function create(app) {
  const charts = CHARTS.map(([title, format]) => createChart(title, format));
  const element = h("section", null, h("h1", null, "Live"), h("div", { class: "grid wide" }, charts.map((each) => each.element)));
  let leave = null;
  const update = (stats) => {
    const past = new Past(stats.history);
    CHARTS.forEach(([, , lines], i) => charts[i].update(past.times, lines(past, stats.start).map(([name, values]) => ({ name, values }))));
  };
  return { element, show: () => (leave ??= app.stats.subscribe(update)), hide: () => (leave = leave?.()) };
}

/** The samples of the last ten minutes, each beside the one before it. */
class Past {
  constructor(history) {
    this.samples = history.filter((each) => each.t > history.at(-1).t - SPAN_S);
    this.times = this.samples.map((each) => each.t);
  }

  each(value) {
    return this.samples.map((now, i) => value(now, this.samples[i - 1]) ?? null);
  }

  /** How fast a counter grows; null where the server has started again. */
  rate(counter) {
    return this.each((now, before) => {
      const grown = before && counter(now) - counter(before);
      return grown >= 0 ? grown / (now.t - before.t) : null;
    });
  }

  ratio(above, below) {
    const [tops, bottoms] = [this.rate(above), this.rate(below)];
    return tops.map((each, i) => (bottoms[i] ? each / bottoms[i] : null));
  }

  /** The largest batches of each time, as the bound of their bucket. */
  largest(sizes) {
    return this.each((now, before) => {
      const i = before ? difference(now.batches, before.batches).findLastIndex(Boolean) : -1;
      return i < 0 ? null : sizes[Math.min(i, sizes.length - 1)];
    });
  }

  quantiles(bounds, share) {
    return this.samples.map((now, i) => {
      const before = this.samples[Math.max(0, i - SMOOTHED)];
      return i ? quantile(difference(now.seconds, before.seconds), bounds, share) : null;
    });
  }
}

/** The reasons of most errors of these ten minutes. */
function errors(past) {
  const [first, last] = [past.samples[0], past.samples.at(-1)];
  const grown = (kind) => (last.errors[kind] ?? 0) - (first.errors[kind] ?? 0);
  const kinds = Object.keys(last?.errors ?? {}).filter(grown).sort((a, b) => grown(b) - grown(a));
  return kinds.slice(0, REASONS).map((kind) => [kind.replaceAll("_", " "), past.rate((each) => each.errors[kind] ?? 0)]);
}

function devices(past) {
  const names = Object.keys(past.samples.at(-1)?.device_bytes ?? {});
  return names.map((name) => [name, past.each((now) => now.device_bytes?.[name])]);
}
