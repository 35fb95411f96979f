/** Types as trees of a description's `structure`: which values fit, and one to begin with. */
import { isNumber, isObject, tensorOf, zeros } from "./values.js";

const MODES = { 1: "L", 3: "RGB", 4: "RGBA" };
export const UNKNOWN = "…"; // in examples: a tensor of unknown shape
const isText = (value) => typeof value === "string";
const isPlain = (value) => isObject(value) && !(isText(value.type) && "value" in value);
const isTensor = (value) => value?.type === "image" || tensorOf(value) !== null;

const FITS = {
  tensor: (value) => value === UNKNOWN || (value !== null && typeof value !== "boolean" && isTensor(value)),
  any: (value) => isObject(value) && isTensor(value),
  bool: (value) => typeof value === "boolean",
  int: isNumber,
  number: isNumber,
  float: (value) => isNumber(value) || /^(NaN|-?Infinity)$/.test(value),
  str: isText,
  device: isText,
  enum: (value, { names }) => names.includes(value),
  none: (value) => value === null,
  absent: (value) => value === undefined,
  constant: (value, spec) => value === spec.value,
  list: (value) => Array.isArray(value) && value.length <= 50,
  tuple: (value, spec) => (spec.names ? hasKeys(value, spec.names) : Array.isArray(value) && value.length === (spec.parts ?? []).length),
  dict: (value, spec) =>
    spec.closed ? hasKeys(value, Object.keys(spec.members ?? {})) : spec.parts[0].kind === "str" ? isPlain(value) : Array.isArray(value),
};

const hasKeys = (value, names) => isPlain(value) && names.length === Object.keys(value).length && names.every((name) => name in value);

/** Whether a field of the type can show the value. */
export function fits(spec, value) {
  const choices = choicesOf(spec);
  return choices.length > 1 ? choices.some((each) => fits(each, value)) : Boolean(FITS[spec.kind]?.(value, spec));
}

/** The types of which a value has one. */
export function choicesOf(spec) {
  if (spec.kind === "optional") return [{ kind: "none", type: "null" }, ...choicesOf(spec.parts[0])];
  return spec.kind === "union" ? spec.parts : [spec];
}

/** The parts of a type that has them by name, or one after the other: [[name, type], …]. */
export function partsOf({ kind, names, parts = [], members = {} }) {
  return kind === "dict" ? Object.entries(members) : parts.map((part, index) => [names?.[index] ?? String(index), part]);
}

const SAMPLES = { bool: true, int: 1, number: 1, float: 1, complex: [1, 0], str: "text", device: "cpu", none: null, optional: null };

export function sample(spec) {
  if (spec.kind in SAMPLES) return SAMPLES[spec.kind];
  if (spec.kind === "absent" || spec.kind === "constant") return spec.value;
  if (spec.kind === "enum") return spec.names[0];
  if (spec.kind === "union") return sample(spec.parts[0]);
  if (spec.kind === "list") return [sample(spec.parts[0])];
  if (spec.kind === "tuple" || spec.closed) {
    const parts = partsOf(spec).map(([name, part]) => [name, sample(part)]);
    return spec.names || spec.closed ? Object.fromEntries(parts) : parts.map(([, value]) => value);
  }
  if (spec.kind === "dict") return spec.parts[0].kind === "str" ? { key: sample(spec.parts[1]) } : [spec.parts.map(sample)];
  return zeros({ shape: spec.shape?.map((size) => (size > 0 ? size : (size.min ?? 1))) ?? [1], data_type: spec.data_type ?? "float32" });
}

/** How an image becomes a tensor of a type, or like another one; null where it can't. */
export function pictureOf(spec, like) {
  const { shape, data_type } = { ...like, ...spec };
  const sizes = shape.map((size) => (size > 0 ? size : size.max === 1 ? 1 : null));
  if (![3, 4].includes(sizes.length) || sizes.at(-4) > 1 || !/^(uint8|float(16|32|64))$/.test(data_type)) return null;
  const isLast = !MODES[sizes.at(-3)] && MODES[sizes.at(-1)];
  const mode = MODES[sizes.at(isLast ? -1 : -3)];
  const [height, width] = sizes.slice(isLast ? -3 : -2).map((size) => (spec.shape || size > 8 ? size : null)); // 8: all sizes were right
  return mode ? { envelope: { type: "image", mode, data_type, layout: isLast ? "HWC" : "CHW", batch: sizes.length === 4 }, width, height } : null;
}
