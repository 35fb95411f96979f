/** A chart of the last ten minutes, as SVG, with a read-out for mouse, keys and screen readers, and a table. */
import { h, replace, s } from "./dom.js";
import { table } from "./table.js";

export const SPAN_S = 600;
const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [58, 8, 8, 130, 150];
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity };

export class Chart {
  times = [];
  lines = [];
  chosen = null; // the index of the time that is read out; null: the latest

  /** `format` writes a value. */
  constructor(title, format) {
    this.format = (value) => format(value ?? NaN);
    this.title = title;
    this.legend = h("div", { class: "row legend" });
    const onpointermove = (event) => this.point(event);
    const onblur = () => this.choose(null);
    const listeners = { onpointermove, onpointerdown: onpointermove, onpointerleave: onblur, onblur, onkeydown: (event) => this.step(event) };
    this.svg = s("svg", { height: HEIGHT, tabindex: 0, role: "slider", ariaLabel: `${title}, over time`, ...listeners });
    this.minutes = h("div");
    this.details = h("details", { ontoggle: () => this.tabulate() }, h("summary", { class: "quiet" }, "By minute"), this.minutes);
    this.element = h("section", { class: "card chart" }, h("h2", null, title), this.legend, this.svg, this.details);
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  /** `lines` are [name, values]: a value for each of the times (Unix seconds), null for none. */
  update(times, lines) {
    const chosen = times.indexOf(this.times[this.chosen]); // it wanders to the left
    Object.assign(this, { times, lines, chosen: chosen < 0 ? null : chosen });
    this.draw();
    this.tabulate();
  }

  draw() {
    this.width = this.svg.clientWidth || 600;
    this.top = roundUp(Math.max(0, ...this.lines.flatMap(([, values]) => values)));
    this.cursor = s("line", { class: "cursor", y1: TOP, y2: BOTTOM });
    const rules = [0, 0.5, 1].map((share) => {
      const y = this.y(share * this.top);
      const text = s("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, this.format(share * this.top));
      return [s("line", { x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y }), text];
    });
    const minutes = [10, 8, 6, 4, 2, 0].map((each) => {
      const place = { x: this.x(60 * each), y: HEIGHT - 4, "text-anchor": each ? "middle" : "end" };
      return s("text", place, each ? `−${each} min` : "now");
    });
    const paths = this.lines.map(([, values], i) => s("path", { class: `line ${colour(i)}`, d: this.path(values) }));
    replace(this.svg, rules, minutes, paths, this.cursor);
    this.read();
  }

  x(ago_s) {
    return LEFT + (this.width - LEFT - RIGHT) * (1 - ago_s / SPAN_S);
  }

  y(value) {
    return BOTTOM - ((BOTTOM - TOP) * value) / this.top;
  }

  ago(i) {
    return this.times.at(-1) - this.times[i];
  }

  path(values) {
    const point = (value, i) => `${values[i - 1] == null ? "M" : "L"}${this.x(this.ago(i)).toFixed(1)} ${this.y(value).toFixed(1)}`;
    return values.map((value, i) => (value === null ? "" : point(value, i))).join("");
  }

  point(event) {
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    const distances = this.times.map((_, i) => Math.abs(this.x(this.ago(i)) - x));
    if (distances.length) this.choose(distances.indexOf(Math.min(...distances)));
  }

  step(event) {
    const last = this.times.length - 1;
    if (event.key === "Escape") this.choose(null);
    else if (!(event.key in STEPS) || last < 0) return;
    else this.choose(Math.min(Math.max((this.chosen ?? last) + STEPS[event.key], 0), last));
    event.preventDefault();
  }

  choose(index) {
    this.chosen = index;
    this.read();
  }

  /** Tell the values of the time that is chosen. */
  read() {
    const last = Math.max(0, this.times.length - 1);
    const i = this.chosen ?? last;
    const when = this.chosen === null ? "now" : clock(this.times[i]);
    const texts = this.lines.map(([name, values]) => [`${name} `, this.format(values[i])]);
    const marks = texts.map(([name, value], j) => h("span", { class: colour(j) }, h("i", null, name), h("b", null, value)));
    replace(this.legend, marks, when);
    const text = `${when}: ${texts.map((each) => each.join("")).join(", ")}`;
    Object.assign(this.svg, { ariaValueMin: 0, ariaValueMax: last, ariaValueNow: i, ariaValueText: text });
    const x = this.x(this.ago(i) || 0);
    const place = { x1: x, x2: x, visibility: this.chosen === null ? "hidden" : "visible" };
    for (const each of Object.entries(place)) this.cursor.setAttribute(...each);
  }

  /** A row for each minute, as of its end, while the table is open. */
  tabulate() {
    if (!this.details.open) return;
    const minute = (i) => Math.floor(this.ago(i) / 60);
    const ends = [...this.times.keys()].filter((i) => minute(i) !== minute(i + 1));
    const rows = ends.map((i) => [clock(this.times[i]), ...this.lines.map(([, values]) => this.format(values[i]))]);
    replace(this.minutes, table(this.title, ["Time", ...this.lines.map(([name]) => name)], rows).element);
  }
}

const colour = (i) => `c${1 + (i % 5)}`;
const clock = (time) => new Date(1000 * time).toLocaleTimeString([], { hour12: false });

/** The next of 1, 2 and 5 times a power of ten. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 5, 10].find((each) => each * power >= value) * power;
}
