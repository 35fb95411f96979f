/** One model in the list. Cells are written where their text differs. */
import { pathOf } from "./api.js";
import { ask } from "./dialog.js";
import { announce, button, h, write } from "./dom.js";
import { bytes, duration, number } from "./format.js";
import { quantile, sum } from "./stats.js";

const RATE_S = 10;
const MINUTE_S = 60;
const COLOURS = { loaded: "ok", invalid: "bad", fetching: "warn", quarantined: "warn" };

export class Row {
  /** `act(method, path, row)` asks the server for a change, and throws what it says against it. */
  constructor(name, act) {
    this.name = name;
    this.act = act;
    [this.kind, this.note, this.failure] = ["quiet", "warn", "bad"].map((each) => h("p", { class: each }));
    this.badge = h("span");
    this.button = button("", () => this.toggle());
    const link = h("a", { class: "button", href: `#/try/${encodeURIComponent(name)}`, ariaLabel: `Try ${name}` }, "Try");
    this.cells = ["Device", "Size", "Loads", "Req/s", "p50", "p99"].map((label, i) =>
      h("div", { role: "cell", class: i ? "number" : "" }, h("span", { class: "label" }, label), h("span")),
    );
    this.element = h("div", { role: "row", class: "model", "data-model": name },
      h("div", { role: "rowheader" }, h("bdi", { class: "mono" }, name), this.kind, this.note, this.failure),
      h("div", { role: "cell" }, this.badge), this.cells, h("div", { role: "cell", class: "row end" }, link, this.button));
  }

  /** What GET /models says of it. */
  take(status) {
    const { state, kind = "", loaded, problem, warning, quarantine_left_s: left_s, fetched_bytes: come } = status;
    this.status = status;
    this.devices = loaded.map((each) => each.device + (each.workers > 1 ? ` ×${each.workers}` : "")).join(", ");
    write(this.kind, kind);
    write(this.note, problem ?? warning ?? "");
    write(this.badge, left_s ? `${state}, ${duration(left_s)}` : come >= 0 ? `${state}, ${bytes(come)}` : state);
    this.badge.className = `badge ${COLOURS[state] ?? ""}`;
    this.words = [this.name, kind, this.note.textContent].join(" ").toLowerCase();
    this.fill(0, [this.devices || "–", bytes(status.bytes)]);
    if (!this.doing) this.label();
  }

  /** What the server counted of it. */
  count(stats) {
    const latest_minute = stats.recent(this.name, MINUTE_S);
    this.rate = sum(stats.recent(this.name, RATE_S)) / RATE_S;
    [this.p50, this.p99] = [0.5, 0.99].map((share) => quantile(latest_minute, stats.start?.bounds_s, share));
    this.loads = stats.models.get(this.name)?.loads ?? this.status.loads;
    this.fill(2, [number(this.loads), number(this.rate), duration(this.p50), duration(this.p99)]);
  }

  fill(first, texts) {
    texts.forEach((text, i) => write(this.cells[first + i].lastChild, text));
  }

  label(doing) {
    this.doing = doing;
    const text = doing ?? (this.status.loaded.length ? "Unload" : "Load");
    write(this.button, text);
    this.button.ariaLabel = `${text} ${this.name}`;
    this.button.classList.toggle("pending", Boolean(doing));
  }

  async toggle() {
    const unloads = this.status.loaded.length > 0;
    if (this.doing || (unloads && this.rate && !(await this.mayUnload()))) return;
    this.label(unloads ? "Unloading" : "Loading");
    write(this.failure, "");
    try {
      await this.act(...(unloads ? ["DELETE", pathOf(this.name)] : ["POST", `${pathOf(this.name)}/load`]), this);
    } catch ({ message }) {
      write(this.failure, message);
      announce(message);
    }
    this.label();
  }

  /** A model in use: the next request would wait until it is loaded again. */
  mayUnload() {
    const text = `It answers ${number(this.rate)} requests a second. The next one loads it again, and waits for that.`;
    return ask(`Unload ${this.name}?`, h("p", null, text), "Unload", "danger");
  }
}
