/** What runs where: the workers and the devices. */
import { h, write } from "./dom.js";
import { bytes, count } from "./format.js";
import { table } from "./parts.js";

const WORKERS = [
  ["Worker", (each) => each.worker],
  ["Process", (each) => each.pid],
  ["Threads busy", (each) => `${each.busy} of ${each.threads}`],
  ["Queue", (each) => each.queue],
  ["Models", (each) => each.models],
  ["Weights", (each) => bytes(each.cache_bytes)],
  ["Memory", (each) => bytes(each.resident_bytes)],
];
const DEVICES = [
  ["Device", (each) => each.device],
  ["Weights", (each) => bytes(each.weights_bytes)],
  ["Memory", (each) => (each.total_bytes ? `${bytes(each.total_bytes - each.free_bytes)} of ${bytes(each.total_bytes)}` : "–")],
  ["Busy", (each) => (each.utilization == null ? "–" : `${Math.round(100 * each.utilization)} %`)],
];

export function createPlaces() {
  const summary = h("span", { class: "quiet" });
  const tables = [table("Workers", WORKERS), table("Devices", DEVICES)];
  const grid = h("div", { class: "grid" }, tables.map((each) => each.element));
  const element = h("details", { class: "card" }, h("summary", null, h("strong", null, "What runs where"), " ", summary), grid);
  const update = ({ workers, devices }) => {
    const sum = (key) => workers.reduce((all, each) => all + each[key], 0);
    const threads = `${sum("busy")} of ${count(sum("threads"), "thread")} busy`;
    const parts = [count(workers.length, "worker"), threads, `${sum("queue")} queued`, bytes(sum("resident_bytes"))];
    write(summary, workers.length ? parts.join(" · ") : "");
    [workers, devices].forEach((rows, i) => tables[i].update(rows));
  };
  return { element, update };
}
