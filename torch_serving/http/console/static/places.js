/** What runs where: the workers and the devices. */
import { h, replace, write } from "./dom.js";
import { bytes, count } from "./format.js";

const WORKERS = [
  ["Worker", (each) => each.worker],
  ["Process", (each) => each.pid],
  ["Threads busy", (each) => `${each.busy} of ${each.threads}`],
  ["Queue", (each) => each.queue],
  ["Models", (each) => each.models],
  ["Of their weights", (each) => bytes(each.cache_bytes)],
  ["Memory", (each) => bytes(each.resident_bytes)],
];
const DEVICES = [
  ["Device", (each) => each.device],
  ["Weights", (each) => bytes(each.weights_bytes)],
  ["Memory used", (each) => (each.total_bytes ? `${bytes(each.total_bytes - each.free_bytes)} of ${bytes(each.total_bytes)}` : "–")],
  ["Busy", (each) => (each.utilization == null ? "–" : `${Math.round(100 * each.utilization)} %`)],
];

export function createPlaces() {
  const summary = h("span", { class: "quiet" });
  const workers = createTable("Workers", WORKERS);
  const devices = createTable("Devices", DEVICES);
  const tables = h("div", { class: "grid places" }, workers.element, devices.element);
  const element = h("details", { class: "card" }, h("summary", null, h("strong", null, "What runs where"), " ", summary), tables);
  const update = (stats) => {
    write(summary, summaryOf(stats));
    workers.update(stats.workers);
    devices.update(stats.devices);
  };
  return { element, update };
}

function summaryOf({ workers }) {
  const sum = (key) => workers.reduce((all, each) => all + each[key], 0);
  if (!workers.length) return "";
  const threads = `${sum("busy")} of ${count(sum("threads"), "thread")} busy`;
  return [count(workers.length, "worker"), threads, `${sum("queue")} queued`, bytes(sum("resident_bytes"))].join(" · ");
}

function createTable(caption, columns) {
  const body = h("tbody");
  const head = h("tr", null, columns.map(([title], i) => h("th", { scope: "col", class: i ? "number" : "" }, title)));
  const table = h("table", { class: "data" }, h("caption", null, caption), h("thead", null, head), body);
  const element = h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, table);
  const update = (rows) => {
    while (body.rows.length > rows.length) body.lastChild.remove();
    rows.forEach((row, i) => fill(body.rows[i] ?? body.appendChild(emptyRow(columns)), columns, row));
  };
  return { element, update };
}

function emptyRow(columns) {
  return h("tr", null, columns.map((_, i) => h(i ? "td" : "th", i ? { class: "number" } : { scope: "row" })));
}

function fill(element, columns, row) {
  columns.forEach(([, text], i) => write(element.cells[i], String(text(row))));
}
