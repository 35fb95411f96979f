/** The view of all models, and of what runs where. */
import { announce, h, replace, write } from "./dom.js";
import { count } from "./format.js";
import { Row } from "./model-row.js";
import { errorBox, problemOf } from "./parts.js";
import { createPlaces } from "./places.js";

const REFRESH_MS = 10_000;
const STATES = ["loaded", "available", "invalid", "quarantined"];
/** Titles, and what rows are sorted by: numbers downwards at first. */
const COLUMNS = [
  ["Model", (row) => row.name],
  ["State", (row) => STATES.indexOf(row.status.state)],
  ["Device", (row) => row.devices],
  ["Size", (row) => -row.status.bytes],
  ["Loads", (row) => -row.loads],
  ["Req/s", (row) => -row.rate],
  ["p50", (row) => -row.p50],
  ["p99", (row) => -row.p99],
];

export const create = (app) => new Models(app);

class Models {
  rows = new Map();
  order = COLUMNS[0][1];
  sign = 1;

  constructor(app) {
    this.app = app;
    this.places = createPlaces();
    const oninput = () => this.arrange();
    this.text = h("input", { type: "search", placeholder: "Filter", ariaLabel: "Filter by name, kind or problem", oninput });
    const options = STATES.map((each) => h("option", null, each));
    this.state = h("select", { ariaLabel: "State", onchange: oninput }, h("option", { value: "" }, "All states"), options);
    this.summary = h("span", { role: "status", class: "quiet" });
    this.problem = h("div");
    this.body = h("div", { role: "rowgroup" });
    this.headings = COLUMNS.map(([title, key]) => {
      const button = h("button", { type: "button", class: "plain", onclick: () => this.sortBy(key) }, title);
      return h("span", { role: "columnheader" }, button);
    });
    const actions = h("span", { role: "columnheader", class: "unseen" }, "Actions");
    const head = h("div", { role: "rowgroup" }, h("div", { role: "row", class: "model head" }, this.headings, actions));
    this.element = h(
      "section",
      null,
      h("h1", null, "Models"),
      this.places.element,
      h("div", { class: "row bar" }, this.text, this.state, this.summary),
      this.problem,
      h("div", { role: "table", ariaLabel: "Models", class: "card models" }, head, this.body),
    );
    this.sortBy(this.order, 1);
  }

  show() {
    this.leave = this.app.stats.subscribe((stats) => this.count(stats));
    this.timer = setInterval(() => document.hidden || this.read(), REFRESH_MS);
    this.read();
  }

  hide() {
    this.leave();
    clearInterval(this.timer);
  }

  async read() {
    try {
      const { models } = await this.ask("GET", "models", true);
      this.take(models);
      replace(this.problem);
    } catch (error) {
      replace(this.problem, errorBox("The list can't be read", error.message));
    }
  }

  async ask(method, path, quiet = false) {
    const response = await this.app.request(method, path, { quiet });
    if (response.status === 200) return response.json();
    throw new Error(Object.values(problemOf(response)).filter(Boolean).join(": "));
  }

  take(statuses) {
    const gone = new Set(this.rows.keys());
    for (const status of statuses) {
      const name = status.identifier;
      if (!gone.delete(name)) this.rows.set(name, new Row(name, (...what) => this.act(...what)));
      this.rows.get(name).take(status);
    }
    for (const name of gone) {
      this.rows.get(name).element.remove();
      this.rows.delete(name);
    }
    this.count(this.app.stats);
    this.arrange();
  }

  async act(method, path, row) {
    row.take(await this.ask(method, path));
    announce(`${row.name} is ${row.status.state}`);
    this.arrange();
  }

  count(stats) {
    this.places.update(stats);
    for (const row of this.rows.values()) row.count(stats);
  }

  sortBy(key, sign = key === this.order ? -this.sign : 1) {
    Object.assign(this, { order: key, sign });
    const direction = sign === 1 ? "ascending" : "descending";
    COLUMNS.forEach((each, i) => (this.headings[i].ariaSort = each[1] === key ? direction : "none"));
    this.arrange();
  }

  /** Show the rows that are wanted, and move those that are not where they belong. */
  arrange() {
    const words = this.text.value.toLowerCase().split(/\s+/);
    const wanted = (row) => !this.state.value || row.status.state === this.state.value;
    const compare = (a, b) => (a < b ? -1 : Number(a > b));
    const before = (a, b) => this.sign * compare(this.order(a), this.order(b)) || compare(a.name, b.name);
    let shown = 0;
    [...this.rows.values()].sort(before).forEach((row, i) => {
      const fits = wanted(row) && words.every((each) => row.words.includes(each));
      shown += fits;
      row.element.hidden = !fits;
      const there = this.body.children[i];
      if (there !== row.element) this.body.insertBefore(row.element, there ?? null);
    });
    const all = count(this.rows.size, "model");
    write(this.summary, shown < this.rows.size ? `${shown} of ${all}` : all);
  }
}
