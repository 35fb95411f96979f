/** Numbers as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Three digits that count: 0.123, 1.23, 12.3, 1,234. */
export function number(value) {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en", Math.abs(value) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });
}

/** 20.2 MiB */
export function bytes(value) {
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), 4);
  return Number.isFinite(value) ? `${number(value / 1024 ** power)} ${UNITS[power]}` : "–";
}

/** 250 µs, 12.3 ms, 1.2 s */
export function duration(seconds) {
  if (!seconds) return seconds === 0 ? "0 s" : "–";
  if (seconds < 1e-3) return `${number(seconds * 1e6)} µs`;
  return seconds < 1 ? `${number(seconds * 1e3)} ms` : `${number(seconds)} s`;
}

/** "1 model", "2 models" */
export const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
