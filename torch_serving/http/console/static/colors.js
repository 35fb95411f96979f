/** Colours for values and for classes, as [red, green, blue] of 0 to 255. */

// dark to light in even steps, also in grey and for the colour-blind
const ANCHORS = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
export const NOT_FINITE = [255, 0, 255];
export const RAMP = `linear-gradient(to right, ${ANCHORS.map(css)})`;
const STEPS = 255;
const TABLE = Array.from({ length: STEPS + 1 }, (_, i) => between((i / STEPS) * (ANCHORS.length - 1)));

function between(position) {
  const first = Math.min(Math.floor(position), ANCHORS.length - 2);
  return ANCHORS[first].map((each, i) => each + (ANCHORS[first + 1][i] - each) * (position - first));
}

export function heat(value, low, high) {
  if (Number.isNaN(value)) return NOT_FINITE;
  const part = high > low ? (value - low) / (high - low) : 0.5;
  return TABLE[Math.round(STEPS * Math.max(0, Math.min(1, part)))];
}

/** Classes next to each other differ most: hues a golden angle apart. */
export function classColor(k) {
  const hue = (k * 137.508) / 30;
  return [0, 8, 4].map((n) => {
    const side = (n + hue) % 12;
    return 255 * (0.6 - 0.35 * Math.max(-1, Math.min(side - 3, 9 - side, 1)));
  });
}

export function css(color) {
  return `rgb(${color.map(Math.round)})`;
}
