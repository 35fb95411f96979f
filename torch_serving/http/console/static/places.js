/** What runs where: the workers and the devices. */
import { h, write } from "./dom.js";
import { bytes, count } from "./format.js";
import { sum } from "./stats.js";
import { table } from "./table.js";

const LEFT_OUT = "left out: absent or in error";

export function createPlaces() {
  const summary = h("span", { class: "quiet" });
  const workers = table("Workers", ["Worker", "Process", "Threads busy", "Queue", "Models", "Weights", "Memory"]);
  const devices = table("Devices", ["Device", "Weights", "Memory", "Busy"]);
  const grid = h("div", { class: "grid" }, workers.element, devices.element);
  const element = h("details", { class: "card" }, h("summary", null, h("strong", null, "What runs where"), " ", summary), grid);
  const update = (stats) => {
    workers.update(stats.workers.map(workerCells));
    devices.update(stats.devices.map(deviceCells));
    write(summary, stats.workers.length ? inShort(stats) : "");
  };
  return { element, update };
}

function workerCells({ worker, pid, busy, threads, queue, models, cache_bytes, resident_bytes }) {
  return [worker, pid, `${busy} of ${threads}`, queue, models, bytes(cache_bytes), bytes(resident_bytes)];
}

function deviceCells({ device, up, weights_bytes, total_bytes, free_bytes, utilization }) {
  if (up === false) return [device, bytes(weights_bytes), LEFT_OUT, "–"];
  const memory = total_bytes ? `${bytes(total_bytes - free_bytes)} of ${bytes(total_bytes)}` : "–";
  return [device, bytes(weights_bytes), memory, utilization == null ? "–" : `${Math.round(100 * utilization)} %`];
}

function inShort({ workers, devices }) {
  const all = (name) => sum(workers.map((each) => each[name]));
  const threads = `${all("busy")} of ${count(all("threads"), "thread")} busy`;
  const leftOut = devices.filter(({ up }) => up === false).map(({ device }) => `${device} ${LEFT_OUT}`);
  return [count(workers.length, "worker"), threads, `${all("queue")} queued`, bytes(all("resident_bytes")), ...leftOut].join(" · ");
}
