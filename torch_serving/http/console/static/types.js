/** Types as trees of a description's `structure`: which values fit, and one to begin with. */
import { isNumber, isObject, tensorOf, zeros } from "./values.js";

export const UNKNOWN = "…"; // in examples: a tensor of unknown shape
const isPlain = (value) => isObject(value) && !(typeof value.type === "string" && "value" in value);
const isTensor = (value) => value?.type === "image" || tensorOf(value) !== null;
const isNamed = (spec) => Boolean(spec.names ?? spec.closed);

const FITS = {
  tensor: (value) => value === UNKNOWN || (value !== null && typeof value !== "boolean" && isTensor(value)),
  any: (value) => isObject(value) && isTensor(value),
  bool: (value) => typeof value === "boolean",
  int: isNumber,
  number: isNumber,
  float: (value) => isNumber(value) || /^(NaN|-?Infinity)$/.test(value),
  str: (value) => typeof value === "string",
  device: (value) => typeof value === "string",
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
    return isNamed(spec) ? Object.fromEntries(parts) : parts.map(([, value]) => value);
  }
  if (spec.kind === "dict") return spec.parts[0].kind === "str" ? { key: sample(spec.parts[1]) } : [spec.parts.map(sample)];
  return zeros({ shape: spec.shape?.map((size) => (size > 0 ? size : (size.min ?? 1))) ?? [1], data_type: spec.data_type ?? "float32" });
}
