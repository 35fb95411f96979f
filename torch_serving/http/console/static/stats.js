/** What the server counted: the last ten minutes, its workers and its models. */

const KEPT_S = 610;
const MINUTE_S = 60;

/**
 * A store that follows the server. `history` are samples, oldest first; `models` are numbers by
 * identifier; `recent(name, seconds)` are the requests of a model in the last seconds, by bucket.
 */
export function createStats(follow) {
  const subscribers = new Set();
  const records = new Map();
  const stats = { start: null, latest: null, history: [], models: new Map(), workers: [], devices: [] };
  stats.recent = (name, seconds) => {
    const record = records.get(name);
    const before = record?.findLast((each) => each.t <= stats.latest.t - seconds) ?? record?.[0];
    return record ? difference(record.at(-1).seconds, before.seconds) : [];
  };
  stats.subscribe = (fn) => {
    subscribers.add(fn);
    if (stats.start) fn(stats);
    return () => subscribers.delete(fn);
  };
  follow((name, { workers, devices, models, ...data }) => {
    if (name === "start") {
      records.clear();
      Object.assign(stats, { start: data, history: [...data.history], models: new Map() });
    } else stats.history.push(data.sample);
    Object.assign(stats, { workers, devices, latest: stats.history.at(-1) ?? { t: 0 } });
    const { t } = stats.latest;
    while (stats.history[0]?.t < t - KEPT_S) stats.history.shift();
    for (const [model, numbers] of Object.entries(models)) {
      stats.models.set(model, numbers);
      const record = records.get(model) ?? [{ t: 0, seconds: name === "start" ? numbers.seconds : [] }];
      while (record[1]?.t < t - MINUTE_S) record.shift();
      record.push({ t, seconds: numbers.seconds });
      records.set(model, record);
    }
    for (const each of subscribers) each(stats);
  });
  return stats;
}

/** Counts less those before; all of them where the server has started again since. */
export function difference(after, before) {
  const differences = after.map((each, i) => each - (before[i] ?? 0));
  return differences.some((each) => each < 0) ? after : differences;
}

export const sum = (values) => Object.values(values).reduce((a, b) => a + b, 0);

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
