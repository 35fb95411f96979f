/** The view of all models, and of what runs where. */
import { demand } from "./api.js";
import { announce, h, options, plain, replace, write } from "./dom.js";
import { count } from "./format.js";
import { Row } from "./model-row.js";
import { errorBox } from "./parts.js";
import { createPlaces } from "./places.js";

const REFRESH_MS = 10_000;
const ALL = "All states";
const STATES = ["loaded", "fetching", "available", "invalid", "quarantined"];
/** Titles, and what rows are sorted by: numbers downwards at first. */
const COLUMNS = [
  ["Model", (each) => each.name],
  ["State", (each) => STATES.indexOf(each.status.state)],
  ["Device", (each) => each.devices],
  ["Size", (each) => -each.status.bytes],
  ["Loads", (each) => -each.loads],
  ["Req/s", (each) => -each.rate],
  ["p50", (each) => -each.p50],
  ["p99", (each) => -each.p99],
];

export const create = (stats) => new Models(stats);

class Models {
  rows = new Map();
  asked = 0; // lists, in the order in which they are asked for
  taken = 0; // the last of them that is shown

  constructor(stats) {
    this.stats = stats;
    this.places = createPlaces();
    const oninput = () => this.arrange();
    this.text = h("input", { type: "search", placeholder: "Filter", ariaLabel: "Filter by name, kind or problem", oninput });
    this.state = h("select", { ariaLabel: "State", oninput }, options([ALL, ...STATES]));
    this.summary = h("span", { role: "status", class: "quiet" });
    this.problem = h("div");
    this.body = h("div", { role: "rowgroup" });
    this.headings = COLUMNS.map(([title, key]) => h("span", { role: "columnheader" }, plain(title, () => this.sortBy(key))));
    const actions = h("span", { role: "columnheader", class: "unseen" }, "Actions");
    const head = h("div", { role: "rowgroup" }, h("div", { role: "row", class: "model head" }, this.headings, actions));
    const list = h("div", { role: "table", ariaLabel: "Models", class: "card models" }, head, this.body);
    const filters = h("div", { class: "row bar" }, this.text, this.state, this.summary);
    this.element = h("section", null, h("h1", null, "Models"), this.places.element, filters, this.problem, list);
    this.sortBy(COLUMNS[0][1]);
  }

  show() {
    this.hide(); // another fragment may stand for the same view
    this.leave = this.stats.subscribe(() => this.count());
    this.timer = setInterval(() => document.hidden || this.read(), REFRESH_MS);
    this.read();
  }

  hide() {
    this.leave?.();
    clearInterval(this.timer);
  }

  async read() {
    const asked = ++this.asked;
    try {
      const { models } = JSON.parse(await demand("GET", "models", { quiet: true }));
      if (asked < this.taken) return; // what is shown is newer
      this.taken = asked;
      this.take(models);
      replace(this.problem);
    } catch ({ message }) {
      if (asked > this.taken) replace(this.problem, errorBox("The list can't be read", message));
    }
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
    this.count();
    this.arrange();
  }

  async act(method, path, changed) {
    changed.take(JSON.parse(await demand(method, path)));
    this.taken = ++this.asked;
    announce(`${changed.name} is ${changed.status.state}`);
    this.arrange();
  }

  count() {
    this.places.update(this.stats);
    for (const each of this.rows.values()) each.count(this.stats);
  }

  sortBy(key) {
    this.sign = key === this.order ? -this.sign : 1;
    this.order = key;
    const direction = this.sign === 1 ? "ascending" : "descending";
    COLUMNS.forEach((each, i) => (this.headings[i].ariaSort = each[1] === key ? direction : "none"));
    this.arrange();
  }

  /** Show the rows that are wanted, and move those that are not where they belong. */
  arrange() {
    const words = this.text.value.toLowerCase().split(/\s+/);
    const fits = (each) => [ALL, each.status.state].includes(this.state.value) && words.every((word) => each.words.includes(word));
    const compare = (a, b) => (a < b ? -1 : Number(a > b));
    const before = (a, b) => this.sign * compare(this.order(a), this.order(b)) || compare(a.name, b.name);
    let shown = 0;
    [...this.rows.values()].sort(before).forEach((each, i) => {
      shown += fits(each);
      each.element.hidden = !fits(each);
      const there = this.body.children[i];
      if (there !== each.element) this.body.insertBefore(each.element, there ?? null);
    });
    const all = count(this.rows.size, "model");
    write(this.summary, shown < this.rows.size ? `${shown} of ${all}` : all);
  }
}
