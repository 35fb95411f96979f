/** The server: requests with the key, and its stream of events. */
import { h } from "./dom.js";
import { ask } from "./parts.js";

/** The URL of the server's root as the page sees it; it ends with "/". */
export const base = new URL("..", import.meta.url).href;

/** No response came. */
export class Unreachable extends Error {}

let key = ""; // in memory only
let declined = false;
let asking = null;

/** Whether the server wants a key, and has one. */
export const hasKey = () => key !== "";

/**
 * Ask the server. `path` is relative to its root. A 401 asks the user for the key and tries again.
 * Resolves with {status, headers, bytes, ms, text(), json()} whatever the status is. `quiet`, for what
 * the page does by itself: the user who gave no key is not asked again.
 */
export async function request(method, path, options) {
  const started = performance.now();
  const response = await send(method, path, options);
  const bytes = new Uint8Array(await response.arrayBuffer().catch(unreachable));
  const text = () => new TextDecoder().decode(bytes);
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, headers, bytes, ms: performance.now() - started, text, json: () => parsed(text()) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function send(method, path, { headers, quiet, ...options } = {}) {
  for (;;) {
    const used = key;
    const all = { ...headers, ...(key && { Authorization: `Bearer ${key}` }) };
    const response = await fetch(new URL(path, base), { ...options, method, headers: all, cache: "no-store" }).catch(unreachable);
    if (response.status !== 401 || (quiet && declined) || !(await askForKey(used))) return response;
  }
}

function unreachable(error) {
  if (error.name === "AbortError") throw error;
  throw new Unreachable("The server does not answer: it has stopped, or the network is down.");
}

/** Ask once for all requests that wait; whether there is another key than `used` now. */
async function askForKey(used) {
  if (key === used) key = (await (asking ??= keyDialog(used).finally(() => (asking = null)))) || key;
  declined = key === used;
  return !declined;
}

async function keyDialog(wrong) {
  const input = h("input", { type: "password", autocomplete: "off", required: true });
  const why = wrong ? "The server does not know this key." : "This server asks for a key.";
  const note = h("p", null, why, " It is kept in this page's memory until you leave it.");
  const use = h("button", { value: "use", class: "primary" }, "Use key");
  const cancel = h("button", { formNoValidate: true, value: "" }, "Cancel");
  return (await ask("Key", [note, h("label", { class: "field" }, "API key", input)], use, cancel)) && input.value.trim();
}

/**
 * Follow server-sent events: onEvent(name, data) for each, onState("live" | "no connection" | "paused").
 * Connects again after a second, then two, up to 16; rests while the page is hidden.
 */
export function stream(path, onEvent, onState) {
  let aborter = new AbortController();
  let timer = 0;
  let wait_ms = 1000;
  const stop = () => {
    clearTimeout(timer);
    aborter.abort();
  };
  const start = async () => {
    const { signal } = (aborter = new AbortController());
    const take = (...event) => {
      wait_ms = 1000;
      onState("live");
      onEvent(...event);
    };
    await follow(path, signal, take).catch(() => null);
    if (signal.aborted) return;
    onState("no connection");
    timer = setTimeout(start, wait_ms);
    wait_ms = Math.min(2 * wait_ms, 16_000);
  };
  const onVisibility = () => {
    stop();
    if (document.hidden) onState("paused");
    else start();
  };
  document.addEventListener("visibilitychange", onVisibility);
  onVisibility();
}

async function follow(path, signal, take) {
  const response = await send("GET", path, { signal, quiet: true, headers: { Accept: "text/event-stream" } });
  if (!response.ok) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const each of events) {
      const field = (name) => each.match(`(?:^|\n)${name}: ?(.*)`)?.[1];
      if (field("data")) take(field("event"), JSON.parse(field("data")));
    }
  }
}
