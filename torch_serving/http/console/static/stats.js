/** What the server counted: the last ten minutes, its workers and its models. */

const KEPT_S = 610;
const MINUTE_S = 60;

/**
 * A store that follows the server. `history` are samples, oldest first; `models` are numbers by
 * identifier; `recent(name, seconds)` are the requests of a model in the last seconds.
 */
export function createStats(follow) {
  const subscribers = new Set();
  const stats = { start: null, latest: null, history: [], models: new Map(), workers: [], devices: [] };
  const records = new Map();
  stats.recent = (name, seconds) => recent(records.get(name), stats.latest?.t - seconds);
  stats.subscribe = (fn) => {
    subscribers.add(fn);
    if (stats.start) fn(stats);
    return () => subscribers.delete(fn);
  };
  follow((name, data) => {
    if (name === "start") {
      records.clear();
      Object.assign(stats, { start: data, history: [...data.history], models: new Map() });
    } else if (name === "sample") stats.history.push(data.sample);
    else return;
    stats.latest = stats.history.at(-1) ?? null;
    while (stats.history[0]?.t < stats.latest?.t - KEPT_S) stats.history.shift();
    stats.workers = data.workers;
    stats.devices = data.devices;
    for (const [model, numbers] of Object.entries(data.models)) {
      if (!records.has(model)) records.set(model, [{ t: 0, seconds: name === "start" ? numbers.seconds : [] }]);
      record(records.get(model), stats.latest?.t ?? 0, numbers.seconds);
      stats.models.set(model, numbers);
    }
    for (const each of subscribers) each(stats);
  });
  return stats;
}

function record(ofModel, t, seconds) {
  while (ofModel[1]?.t < t - MINUTE_S) ofModel.shift();
  ofModel.push({ t, seconds });
}

function recent(ofModel = [], since) {
  const before = ofModel.findLast((each) => each.t <= since) ?? ofModel[0];
  return before ? difference(ofModel.at(-1).seconds, before.seconds) : [];
}

/** Counts less those before; all of them where the server has started again since. */
export function difference(after, before = []) {
  const differences = after.map((each, i) => each - (before[i] ?? 0));
  return differences.some((each) => each < 0) ? after : differences;
}

export const sum = (values) => Object.values(values ?? {}).reduce((a, b) => a + b, 0);

/** The value below which a share of the counts lies, interpolated within its bucket; null without counts. */
export function quantile(counts, bounds, share) {
  const wanted = share * sum(counts);
  if (!wanted) return null;
  let before = 0;
  const i = counts.findIndex((each) => (before += each) >= wanted);
  const low = i ? bounds[i - 1] : 0;
  const high = bounds[i] ?? low; // beyond the last bound nothing is known
  return high - ((high - low) * (before - wanted)) / counts[i];
}
