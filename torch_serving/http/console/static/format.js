/** Numbers as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Three digits that count: 0.123, 1.23, 12.3, 123, 1,234. */
export function number(value) {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 || value === 0 ? 0 : { maximumSignificantDigits: 3 };
  return value.toLocaleString("en", digits ? digits : { maximumFractionDigits: 0 });
}

/** 20.2 MiB */
export function bytes(value) {
  if (value == null) return "–";
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), UNITS.length - 1);
  return `${number(value / 1024 ** power)} ${UNITS[power]}`;
}

/** 250 µs, 12.3 ms, 1.2 s */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  if (!seconds) return "0 s";
  if (seconds < 1e-3) return `${number(seconds * 1e6)} µs`;
  return seconds < 1 ? `${number(seconds * 1e3)} ms` : `${number(seconds)} s`;
}

/** "1 model", "2 models" */
export function count(n, word) {
  return `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
}
