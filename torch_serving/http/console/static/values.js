/** Values in JSON: numbers that keep their digits, and tensors. */

/** Parse JSON; numbers that would lose digits stand as JSON.rawJSON, where the browser has it. */
export function parse(text) {
  return JSON.parse(text, JSON.rawJSON && keepDigits);
}

function keepDigits(key, value, { source }) {
  if (typeof value !== "number" || String(value) === source) return value;
  return Array.isArray(this) && !/^-?\d{16}/.test(source) ? value : JSON.rawJSON(source);
}

/** What a text stands for in JSON, or the text itself. */
export function read(text) {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

export const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
export const isNumber = (value) => typeof value === "number" || Boolean(JSON.isRawJSON?.(value));
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !isNumber(value);

const isComplex = (data_type) => /^complex/.test(data_type);
const count = ({ shape, data_type }) => shape.reduce((all, size) => all * size, isComplex(data_type) ? 2 : 1);

/** {shape, value, data_type} with a flat value; null for what is no tensor. */
export function tensorOf(json) {
  if (isObject(json) && json.type !== "tensor") return null;
  const list = isObject(json) ? json.value : json;
  const { shape = shapeOf(list), data_type = "" } = json ?? {};
  if (list === undefined || !Array.isArray(shape) || typeof data_type !== "string") return null;
  const value = [list].flat(Infinity);
  const isWhole = value.length === count({ shape, data_type: json?.shape && data_type }) && !value.some(isObject);
  return isWhole ? { type: "tensor", shape, value, data_type } : null;
}

function shapeOf(list) {
  return Array.isArray(list) ? [list.length, ...(list.length ? shapeOf(list[0]) : [])] : [];
}

/** Whether a tensor is small enough for a table; tables have two dimensions. */
export function fitsTable({ shape, value, data_type }) {
  const [columns = 1, rows = 1, ...more] = shape.toReversed();
  return value.length > 0 && columns <= 16 && rows <= 16 && more.every((size) => size === 1) && !isComplex(data_type);
}

function filled(tensor, make) {
  return { type: "tensor", shape: tensor.shape, value: Array.from({ length: count(tensor) }, make), data_type: tensor.data_type };
}

export const zeros = (tensor) => filled(tensor, () => (tensor.data_type === "bool" ? false : 0));

/** Normal floats, whole numbers below ten, or truths. */
export function random(tensor) {
  if (tensor.data_type === "bool") return filled(tensor, () => Math.random() < 0.5);
  if (/int/.test(tensor.data_type)) return filled(tensor, () => Math.floor(10 * Math.random()));
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return filled(tensor, () => Number(normal().toFixed(4)));
}
