/** A chart of the last ten minutes, drawn as SVG, with a read-out for mouse, keys and screen readers. */
import { h, replace, s, write } from "./dom.js";

export const SPAN_S = 600;
const HEIGHT = 150;
const LEFT = 58;
const BOTTOM = 20;
const TOP = 8;
const MINUTES = [10, 8, 6, 4, 2, 0];

/** {element, update(times, series)}: series are [{name, values}], a value for each time, null for none. */
export function createChart(title, format) {
  return new Chart(title, format);
}

class Chart {
  times = [];
  series = [];
  chosen = null; // the index of the time that is read out
  width = 600;

  constructor(title, format) {
    this.title = title;
    this.format = format;
    this.legend = h("p", { class: "legend" });
    this.svg = s("svg", {
      height: HEIGHT, tabindex: 0, role: "slider", "aria-label": `${title}, over time`, "aria-orientation": "horizontal",
      onpointermove: (event) => this.point(event), onpointerdown: (event) => this.point(event),
      onpointerleave: () => this.choose(null), onblur: () => this.choose(null), onkeydown: (event) => this.step(event),
    });
    this.table = h("div", { class: "scroll" });
    this.details = h("details", { ontoggle: () => this.tabulate() }, h("summary", { class: "quiet" }, "By minute"), this.table);
    this.element = h("section", { class: "card chart" }, h("h2", null, title), this.legend, this.svg, this.details);
    new ResizeObserver(([{ contentRect }]) => this.resize(contentRect.width)).observe(this.element);
  }

  resize(width) {
    if (width === this.width || !width) return;
    this.width = width;
    this.draw();
  }

  update(times, series) {
    if (this.chosen !== null) this.chosen = times.indexOf(this.times[this.chosen]); // it wanders to the left
    if (this.chosen === -1) this.chosen = null;
    Object.assign(this, { times, series });
    this.draw();
    this.tabulate();
  }

  draw() {
    this.top = niceTop(Math.max(0, ...this.series.flatMap((each) => each.values)));
    this.cursor = s("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const lines = this.series.map((each, i) => s("path", { class: `line c${1 + (i % 5)}`, d: this.path(each.values) }));
    replace(this.svg, this.rules(), this.minutes(), lines, this.cursor);
    this.read();
  }

  x(time) {
    return LEFT + (this.width - LEFT - 8) * (1 - (this.times.at(-1) - time) / SPAN_S);
  }

  y(value) {
    return HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / this.top;
  }

  path(values) {
    let pen = "M";
    const points = values.map((value, i) => {
      if (value === null) return (pen = "M") && "";
      const point = `${pen}${this.x(this.times[i]).toFixed(1)} ${this.y(value).toFixed(1)}`;
      pen = "L";
      return point;
    });
    return points.join("");
  }

  rules() {
    return [0, 0.5, 1].map((share) => {
      const y = this.y(share * this.top);
      const text = s("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, this.format(share * this.top));
      return s("g", { "aria-hidden": true }, s("line", { x1: LEFT, x2: this.width - 8, y1: y, y2: y }), text);
    });
  }

  minutes() {
    return MINUTES.map((each) => {
      const x = LEFT + (this.width - LEFT - 8) * (1 - each / 10);
      return s("text", { x, y: HEIGHT - 4, "text-anchor": each ? "middle" : "end" }, each ? `−${each} min` : "now");
    });
  }

  point(event) {
    const { left, width } = this.svg.getBoundingClientRect();
    const x = ((event.clientX - left) * this.width) / width;
    const distances = this.times.map((each) => Math.abs(this.x(each) - x));
    this.choose(distances.length ? distances.indexOf(Math.min(...distances)) : null);
  }

  step(event) {
    const last = this.times.length - 1;
    const at = this.chosen ?? last;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 30, PageDown: at + 30, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.choose(to === null ? null : Math.min(Math.max(to, 0), last));
  }

  choose(index) {
    this.chosen = index;
    this.read();
  }

  /** Write the values of the time that is chosen, else the latest, into the legend. */
  read() {
    const i = this.chosen ?? this.times.length - 1;
    const chosen = this.chosen !== null;
    const when = chosen ? clock(this.times[i]) : "now";
    const values = this.series.map((each) => [each.name, this.format(each.values[i] ?? NaN)]);
    const marks = values.map(([name, value], j) => h("span", { class: `c${1 + (j % 5)}` }, h("span", null, name, " ", h("b", null, value))));
    replace(this.legend, marks, h("span", { class: "quiet" }, when));
    const text = `${when}: ${values.map((each) => each.join(" ")).join(", ")}`;
    const spoken = { valuemin: 0, valuemax: Math.max(0, this.times.length - 1), valuenow: Math.max(0, i), valuetext: text };
    for (const [name, value] of Object.entries(spoken)) this.svg.setAttribute(`aria-${name}`, value);
    const x = chosen ? this.x(this.times[i]) : 0;
    for (const name of ["x1", "x2"]) this.cursor.setAttribute(name, x);
    this.cursor.setAttribute("visibility", chosen ? "visible" : "hidden");
  }

  /** The same as a table: a row for each minute, as of its end. Nothing while it is closed. */
  tabulate() {
    if (!this.details.open) return;
    const end = this.times.at(-1);
    const ends = this.times.map((_, i) => i).filter((i) => Math.floor((end - this.times[i]) / 60) < Math.floor((end - (this.times[i - 1] ?? 0)) / 60));
    const head = h("tr", null, ["Time", ...this.series.map((each) => each.name)].map((each) => h("th", { scope: "col" }, each)));
    const rows = ends.map((i) => h("tr", null, h("th", { scope: "row" }, clock(this.times[i])), this.series.map((each) => h("td", null, this.format(each.values[i] ?? NaN)))));
    replace(this.table, h("table", { class: "data" }, h("thead", null, head), h("tbody", null, rows)));
  }
}

function clock(time) {
  return new Date(1000 * time).toLocaleTimeString([], { hour12: false });
}

/** The next of 1, 2 and 5 times a power of ten. */
function niceTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((each) => each * power >= value) * power;
}
