/** Tensors of a result: flat values, row by row. */

export class Tensor {
  constructor(type, shape, values, name = "tensor") {
    Object.assign(this, { type, shape, name, values: packed(values) });
    this.size = stride(shape, -1);
    this.isComplex = type.startsWith("complex");
    this.isWhole = /^(u?int|bool)/.test(type);
  }

  get title() {
    return this.name === "scalar" ? this.type : `${this.name} ${this.type} [${this.shape.join(", ")}]`;
  }

  /** What is drawn of an element: of a complex number its magnitude. */
  number(i) {
    return this.isComplex ? Math.hypot(this.values[2 * i], this.values[2 * i + 1]) : Number(this.values[i]);
  }

  /** An element as the server wrote it. */
  text(i) {
    if (this.type === "bool") return String(Boolean(this.values[i]));
    if (!this.isComplex) return digits(this.values[i]);
    return `${digits(this.values[2 * i])} + ${digits(this.values[2 * i + 1])}i`.replace("+ -", "- ");
  }

  /** How far an element is from that of another tensor; Infinity where one of them is not finite. */
  distance(other, i) {
    if (this.text(i) === other.text(i)) return 0;
    const [a, b] = [this.values, other.values];
    if (this.isComplex) return Math.hypot(a[2 * i] - b[2 * i], a[2 * i + 1] - b[2 * i + 1]);
    const isWide = typeof a[i] === "bigint" || typeof b[i] === "bigint";
    const apart = isWide ? Number(BigInt(a[i]) - BigInt(b[i])) : a[i] - b[i];
    return Number.isNaN(apart) ? Infinity : Math.abs(apart);
  }

  /** The index of an element in each dimension. */
  place(i) {
    return `[${this.shape.map((size, d) => Math.floor(i / stride(this.shape, d)) % size).join(", ")}]`;
  }

  /** The least and the largest finite value of `count` elements, and how many are not finite. */
  range(from = 0, count = this.size) {
    const range = { low: Infinity, high: -Infinity, odd: 0 };
    for (let i = from; i < from + count; i++) {
      const value = this.number(i);
      if (!Number.isFinite(value)) range.odd++;
      else if (value < range.low) range.low = value;
      if (value > range.high && value < Infinity) range.high = value;
    }
    return range.odd === count ? { ...range, low: 0, high: 0 } : range;
  }

  /** The indices of the largest of `count` elements, largest first; NaN is not among them. */
  largest(from, count, limit) {
    const best = [];
    for (let i = from; i < from + count; i++) {
      const value = this.number(i);
      if (Number.isNaN(value) || (best.length === limit && value <= this.number(best.at(-1)))) continue;
      const place = best.findIndex((each) => this.number(each) < value);
      best.splice(place < 0 ? best.length : place, 0, i);
      best.length = Math.min(best.length, limit);
    }
    return best;
  }
}

/** Doubles, unless whole numbers beyond 2**53 are among them; "NaN" and "Infinity" become numbers. */
function packed(values) {
  try {
    return new Float64Array(values);
  } catch {
    return values; // a BigInt is no double
  }
}

function digits(value) {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Four digits that count: for scales and sentences. */
export function brief(value) {
  return String(Number(value.toPrecision(4)));
}

/** How many elements lie between neighbours of a dimension; of -1, all elements. */
export function stride(shape, dimension) {
  return shape.slice(dimension + 1).reduce((product, each) => product * each, 1);
}
