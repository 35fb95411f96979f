/** Envelopes of POST /serve as values: a Tensor, {string}, {none} or {name, items: [[key, value], …]}. */
import { parsed } from "./api.js";
import { Tensor, digits } from "./tensor.js";

const WIDE = /[[,:]\s*-?\d{16,}\s*[,\]}]/;
const READERS = {
  tensor: ({ data_type, shape, value }) => new Tensor(data_type, shape, value),
  scalar: ({ data_type, value }) => new Tensor(data_type, [], [value].flat(), "scalar"),
  string: ({ value }) => ({ string: value }),
  enum: ({ value }) => ({ string: value }),
  none: () => ({ none: true }),
  named_tuple: ({ name, value }) => tree(`named tuple ${name}`, Object.entries(value)),
  generic_dict: ({ value }) => tree("dictionary", Array.isArray(value) ? value.map(pair) : Object.entries(value)),
};

/** A document, or null; whole numbers beyond 2**53 are BigInts where the browser tells their digits. */
export const parse = (text) => parsed(text, WIDE.test(text) ? exact : undefined);

function exact(key, value, context) {
  const isWide = typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER;
  return isWide && /^-?\d+$/.test(context?.source) ? BigInt(context.source) : value;
}

export function read(json) {
  if (Array.isArray(json)) return list(json.map(read));
  if (Object.hasOwn(READERS, json?.type)) return READERS[json.type](json);
  if (json === null) return READERS.none();
  return typeof json === "object" ? tree("object", Object.entries(json)) : { string: String(json) };
}

const tree = (name, entries) => ({ name, items: entries.map(([key, value]) => [key, read(value)]) });

/** A key that is no string, as text. */
function pair([key, value]) {
  const { string, values = [] } = read(key);
  return [string ?? Array.from(values, digits).join(", "), value];
}

/** Numbers of one type are drawn as a vector is. */
function list(items) {
  const [{ type, name }] = [...items, {}];
  if (items.length > 1 && name === "scalar" && items.every((each) => each.type === type)) {
    return new Tensor(type, [items.length], items.flatMap((each) => [...each.values]), "list");
  }
  return { name: "list", items: items.map((each, i) => [String(i), each]) };
}

/** The strings of a list of just strings. */
export function strings({ name, items = [] }) {
  return name === "list" && items.every(([, each]) => "string" in each) ? items.map(([, each]) => each.string) : [];
}
