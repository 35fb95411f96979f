/** The view of all models, and of what runs where. */
import { announce, h, replace, write } from "./dom.js";
import { bytes, count } from "./format.js";
import { createRow } from "./model-row.js";
import { errorBox, problemOf } from "./parts.js";
import { createPlaces } from "./places.js";

const REFRESH_MS = 10_000;
const STATES = ["loaded", "available", "invalid", "quarantined"];
/** Of each column: its title, and what it is sorted by. Numbers are sorted downwards first. */
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

export function create(app) {
  const view = new Models(app);
  return { element: view.element, show: () => view.show(), hide: () => view.hide() };
}

class Models {
  rows = new Map();
  order = COLUMNS[0][1];
  sign = 1;

  constructor(app) {
    this.app = app;
    this.places = createPlaces();
    this.text = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter by name, kind or problem" });
    this.state = h("select", { "aria-label": "State" }, h("option", { value: "" }, "All states"));
    this.state.append(...STATES.map((each) => h("option", null, each)));
    for (const each of [this.text, this.state]) each.addEventListener("input", () => this.filter());
    this.summary = h("span", { class: "quiet", role: "status" });
    this.problem = h("div");
    this.body = h("div", { role: "rowgroup" });
    this.headings = COLUMNS.map((each) => this.heading(...each));
    const head = h("div", { role: "row", class: "model head" }, this.headings, h("span", { role: "columnheader", class: "unseen" }, "Actions"));
    this.element = h(
      "section",
      null,
      h("h1", null, "Models"),
      this.places.element,
      h("div", { class: "row bar" }, this.text, this.state, this.summary),
      this.problem,
      h("div", { role: "table", "aria-label": "Models", class: "card models" }, h("div", { role: "rowgroup" }, head), this.body),
    );
  }

  heading(title, key) {
    const button = h("button", { type: "button", class: "plain", onclick: () => this.sortBy(key) }, title);
    return h("span", { role: "columnheader", "aria-sort": key === this.order ? "ascending" : "none" }, button);
  }

  show() {
    this.leave = this.app.stats.subscribe((stats) => this.update(stats));
    this.timer = setInterval(() => document.hidden || this.read(), REFRESH_MS);
    this.read();
  }

  hide() {
    this.leave?.();
    clearInterval(this.timer);
  }

  async read() {
    try {
      const response = await this.app.request("GET", "models");
      const { title, detail } = problemOf(response);
      if (response.status === 200) this.take(response.json().models);
      replace(this.problem, response.status !== 200 && errorBox(title, detail));
    } catch (error) {
      replace(this.problem, errorBox("The list can't be read", error.message));
    }
  }

  take(statuses) {
    const names = new Set(statuses.map((each) => each.identifier));
    for (const name of this.rows.keys()) if (!names.has(name)) this.remove(name);
    for (const status of statuses) {
      if (!this.rows.has(status.identifier)) this.rows.set(status.identifier, createRow(status, (...what) => this.act(...what)));
      this.rows.get(status.identifier).take(status);
    }
    this.update(this.app.stats);
    this.filter();
  }

  remove(name) {
    this.rows.get(name).element.remove();
    this.rows.delete(name);
  }

  update(stats) {
    this.places.update(stats);
    for (const row of this.rows.values()) row.count(stats);
  }

  filter() {
    const words = this.text.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const { element, status, words: text } of this.rows.values()) {
      const fits = (!this.state.value || status.state === this.state.value) && words.every((each) => text.includes(each));
      if (element.hidden === fits) element.hidden = !fits;
      shown += fits;
    }
    const all = count(this.rows.size, "model");
    write(this.summary, shown === this.rows.size ? all : `${shown.toLocaleString("en")} of ${all}`);
    this.sort();
  }

  sortBy(key) {
    this.sign = key === this.order ? -this.sign : 1;
    this.order = key;
    const direction = this.sign === 1 ? "ascending" : "descending";
    COLUMNS.forEach((each, i) => this.headings[i].setAttribute("aria-sort", each[1] === key ? direction : "none"));
    this.sort();
  }

  /** Move the rows that are not where they belong. */
  sort() {
    const sorted = [...this.rows.values()].sort((a, b) => this.sign * compare(this.order(a), this.order(b)) || compare(a.name, b.name));
    sorted.forEach(({ element }, i) => {
      const there = this.body.children[i];
      if (there !== element) this.body.insertBefore(element, there ?? null);
    });
  }

  async act(method, path, row) {
    const response = await this.app.request(method, path);
    if (response.status !== 200) {
      const { title, detail } = problemOf(response);
      throw new Error(detail ? `${title}: ${detail}` : title);
    }
    row.take(response.json());
    announce(`${row.name} is ${row.status.state}`);
    this.filter();
  }
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
