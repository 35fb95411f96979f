/** What the server counted: the last ten minutes, its workers and its models. */

const KEPT_S = 610;

/**
 * A store that follows the server: {latest, history, models, workers, devices, start, subscribe}.
 * `history` are samples, oldest first; `models` are numbers by identifier.
 */
export function createStats(follow) {
  const subscribers = new Set();
  const stats = { start: null, latest: null, history: [], models: new Map(), workers: [], devices: [] };
  stats.subscribe = (fn) => {
    subscribers.add(fn);
    if (stats.start) fn(stats);
    return () => subscribers.delete(fn);
  };
  follow((name, data) => {
    if (name === "start") begin(stats, data);
    else if (name === "sample") add(stats, data);
    for (const each of subscribers) each(stats);
  });
  return stats;
}

function begin(stats, data) {
  stats.start = data;
  stats.history = [...data.history];
  stats.models = new Map(Object.entries(data.models));
  finish(stats, data);
}

function add(stats, data) {
  stats.history.push(data.sample);
  while (stats.history[0].t < data.sample.t - KEPT_S) stats.history.shift();
  for (const [name, numbers] of Object.entries(data.models)) stats.models.set(name, numbers);
  finish(stats, data);
}

function finish(stats, data) {
  stats.latest = stats.history.at(-1) ?? null;
  stats.workers = data.workers;
  stats.devices = data.devices;
}

/** Counts less those before; all of them where the server has started again since. */
export function difference(after, before) {
  if (!before || after.some((each, i) => each < before[i])) return after;
  return after.map((each, i) => each - before[i]);
}

export const sum = (values) => Object.values(values ?? {}).reduce((a, b) => a + b, 0);

/** The value below which a share of the counts lies, interpolated within its bucket; null without counts. */
export function quantile(counts, bounds, share) {
  const wanted = share * sum(counts);
  if (!wanted) return null;
  let before = 0;
  for (let i = 0; i < counts.length; i++) {
    if (before + counts[i] >= wanted) {
      const low = i ? bounds[i - 1] : 0;
      const high = bounds[i] ?? low; // beyond the last bound nothing is known
      return low + ((high - low) * (wanted - before)) / counts[i];
    }
    before += counts[i];
  }
  return bounds.at(-1);
}
