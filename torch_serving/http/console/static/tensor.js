/** Tensors of a result: flat values, row by row. */

export class Tensor {
  constructor(type, shape, values, name = "tensor") {
    Object.assign(this, { type, shape, name, values, size: stride(shape, -1), isComplex: /^c/.test(type) });
    try {
      this.values = new Float64Array(values); // "NaN" and "Infinity" become numbers
    } catch {
      // a BigInt is no double
    }
  }

  get title() {
    return this.name === "scalar" ? this.type : `${this.name} ${this.type} [${this.shape.join(", ")}]`;
  }

  /** What is drawn of an element: of a complex number its magnitude. */
  number(i) {
    return this.isComplex ? Math.hypot(this.values[2 * i], this.values[2 * i + 1]) : Number(this.values[i]);
  }

  text(i) {
    if (this.type === "bool") return String(this.values[i] > 0);
    if (!this.isComplex) return digits(this.values[i]);
    return `${digits(this.values[2 * i])} + ${digits(this.values[2 * i + 1])}i`.replace("+ -", "- ");
  }

  /** The least and the largest finite value of `count` elements, and how many are not finite. */
  range(from = 0, count = this.size) {
    let [low, high, odd] = [Infinity, -Infinity, 0];
    for (let i = from; i < from + count; i++) {
      const value = this.number(i);
      if (!Number.isFinite(value)) odd++;
      else if (value < low) low = value;
      if (value > high && value < Infinity) high = value;
    }
    return odd === count ? { low: 0, high: 0, odd } : { low, high, odd };
  }

  /** The indices of the largest of `count` elements, without NaN. */
  largest(from, count, limit) {
    const best = [];
    for (let i = from; i < from + count; i++) {
      const value = this.number(i);
      const place = best.findLastIndex((each) => this.number(each) >= value) + 1;
      if (place < limit && !Number.isNaN(value)) best.splice(place, 0, i);
      if (best.length > limit) best.pop();
    }
    return best;
  }
}

export const digits = (value) => (Object.is(value, -0) ? "-0" : String(value));

/** Four digits that count. */
export const brief = (value) => String(Number(value.toPrecision(4)));

/** How many elements lie between neighbours in a dimension; of -1, all. */
export const stride = (shape, dimension) => shape.slice(dimension + 1).reduce((product, each) => product * each, 1);
