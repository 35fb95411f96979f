/** One model in the list. Cells are written where their text differs. */
import { announce, h, write } from "./dom.js";
import { bytes, duration, number } from "./format.js";
import { confirm } from "./parts.js";
import { quantile, sum } from "./stats.js";

const RATE_S = 10;
const MINUTE_S = 60;
const COLOURS = { loaded: "ok", invalid: "bad", quarantined: "warn" };

/** The path of a model below the server's root. */
export function pathOf(name) {
  return `models/${name.split("/").map(encodeURIComponent).join("/")}`;
}

export function createRow(status, act) {
  return new Row(status.identifier, act);
}

class Row {
  rate = 0;
  p50 = 0;
  p99 = 0;
  loads = 0;
  devices = "";

  constructor(name, act) {
    this.name = name;
    this.act = act;
    this.kind = h("span", { class: "quiet" });
    this.note = h("p", { class: "warn" });
    this.failure = h("p", { class: "bad" });
    this.badge = h("span", { class: "badge" });
    this.button = h("button", { type: "button", onclick: () => this.toggle() });
    const link = h("a", { class: "button", href: `#/try/${encodeURIComponent(name)}` }, "Try", h("span", { class: "unseen" }, ` ${name}`));
    this.cells = ["Device", "Size", "Loads", "Req/s", "p50", "p99"].map(cell);
    this.element = h(
      "div",
      { role: "row", class: "model" },
      h("div", { role: "rowheader" }, h("bdi", { class: "mono" }, name), " ", this.kind, this.note, this.failure),
      h("div", { role: "cell" }, this.badge),
      this.cells,
      h("div", { role: "cell", class: "row end" }, link, this.button),
    );
  }

  /** What GET /models says of it. */
  take(status) {
    this.status = status;
    const problem = status.problem ?? status.warning ?? "";
    this.devices = status.loaded.map((each) => each.device + (each.workers > 1 ? ` ×${each.workers}` : "")).join(", ");
    this.words = [this.name, status.kind, problem].join(" ").toLowerCase();
    write(this.kind, status.kind ?? "");
    write(this.note, problem);
    this.badge.className = `badge ${COLOURS[status.state] ?? ""}`;
    const left = status.quarantine_left_s;
    write(this.badge, left ? `${status.state}, ${duration(left)}` : status.state);
    this.fill(0, this.devices || "–");
    this.fill(1, bytes(status.bytes));
    if (!this.busy) this.label(this.isLoaded() ? "Unload" : "Load");
  }

  /** What the stream of figures says of it. */
  count(stats) {
    const minute = stats.recent(this.name, MINUTE_S);
    const bounds = stats.start?.bounds_s ?? [];
    this.rate = sum(stats.recent(this.name, RATE_S)) / RATE_S;
    this.p50 = quantile(minute, bounds, 0.5);
    this.p99 = quantile(minute, bounds, 0.99);
    this.loads = stats.models.get(this.name)?.loads ?? this.status.loads;
    [this.loads, this.rate].forEach((each, i) => this.fill(2 + i, number(each)));
    [this.p50, this.p99].forEach((each, i) => this.fill(4 + i, duration(each)));
  }

  fill(i, text) {
    write(this.cells[i].lastChild, text);
  }

  isLoaded() {
    return this.status.loaded.length > 0;
  }

  label(text) {
    write(this.button, text);
    this.button.setAttribute("aria-label", `${text} ${this.name}`);
    this.button.classList.toggle("pending", Boolean(this.busy));
  }

  async toggle() {
    if (this.busy) return;
    const loaded = this.isLoaded();
    if (loaded && this.rate && !(await this.mayUnload())) return;
    this.busy = true;
    this.label(loaded ? "Unloading" : "Loading");
    write(this.failure, "");
    try {
      await (loaded ? this.act("DELETE", pathOf(this.name), this) : this.act("POST", `${pathOf(this.name)}/load`, this));
    } catch (error) {
      write(this.failure, error.message);
      announce(error.message);
    }
    this.busy = false;
    this.label(this.isLoaded() ? "Unload" : "Load");
  }

  /** A model in use hurts: the next request waits until it is loaded again. */
  mayUnload() {
    const text = `It answers ${number(this.rate)} requests a second. The next one loads it again, and waits for that.`;
    return confirm(`Unload ${this.name}?`, text, "Unload");
  }
}

function cell(label, i) {
  return h("div", { role: "cell", class: i ? "number" : "" }, h("span", { class: "label" }, label), h("span"));
}
