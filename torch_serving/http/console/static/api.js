/** The server: requests with the key, and its stream of events. */
import { h } from "./dom.js";
import { ask } from "./parts.js";

/** The URL of the server's root as the page sees it; it ends with "/". */
export const base = new URL("..", import.meta.url).href;

/** No response came. */
export class Unreachable extends Error {}

let key = ""; // in memory only
let asking = null;

/**
 * Ask the server. `path` is relative to its root. A 401 asks the user for the key and tries again.
 * Resolves with {status, headers, bytes, ms, text(), json()} whatever the status is.
 */
export async function request(method, path, { body, headers, signal } = {}) {
  const started = performance.now();
  const response = await send(method, path, { body, headers, signal });
  const bytes = new Uint8Array(await response.arrayBuffer().catch(unreachable));
  const text = () => new TextDecoder().decode(bytes);
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    bytes,
    ms: performance.now() - started,
    text,
    json: () => parsed(text()),
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function send(method, path, { body, headers, signal }) {
  for (;;) {
    const used = key;
    const authorization = key && { Authorization: `Bearer ${key}` };
    const options = { method, body, signal, cache: "no-store", headers: { ...headers, ...authorization } };
    const response = await fetch(new URL(path, base), options).catch(unreachable);
    if (response.status !== 401 || !(await askForKey(used))) return response;
  }
}

function unreachable(error) {
  if (error.name === "AbortError") throw error;
  throw new Unreachable("The server does not answer: it has stopped, or the network is down.");
}

/** Ask once for all requests that wait; whether there is another key than `used` now. */
async function askForKey(used) {
  if (key !== used) return true;
  asking ??= keyDialog(used !== "").finally(() => (asking = null));
  key = (await asking) || key;
  return key !== used;
}

async function keyDialog(wasWrong) {
  const input = h("input", { type: "password", autocomplete: "off", required: true, autofocus: true });
  const hint = wasWrong ? "The server does not know this key." : "This server asks for a key.";
  const note = h("p", { class: "quiet" }, hint, " It is kept in this page's memory until you leave it.");
  const label = h("label", { class: "field" }, "API key", input);
  const cancel = h("button", { type: "button", onclick: () => cancel.closest("dialog").close("") }, "Cancel");
  const use = h("button", { value: "use", class: "primary" }, "Use key");
  return (await ask("Key", [note, label], cancel, use)) ? input.value.trim() : "";
}

/**
 * Follow a stream of server-sent events: onEvent(name, data) for each, onState("open" | "lost" |
 * "paused"). Reconnects after a second, then two, up to 15; rests while the page is hidden.
 */
export function stream(path, onEvent, onState) {
  let aborter = null;
  let timer = 0;
  let wait_ms = 1000;
  const stop = () => {
    clearTimeout(timer);
    aborter?.abort();
    aborter = null;
  };
  const start = async () => {
    stop();
    const mine = (aborter = new AbortController());
    try {
      await follow(path, mine.signal, (name, data) => {
        wait_ms = 1000;
        onState("open");
        onEvent(name, data);
      });
    } catch {
      // told by the state
    }
    if (mine.signal.aborted) return;
    onState("lost");
    timer = setTimeout(start, wait_ms);
    wait_ms = Math.min(2 * wait_ms, 15_000);
  };
  const onVisibility = () => (document.hidden ? (stop(), onState("paused")) : start());
  document.addEventListener("visibilitychange", onVisibility);
  onVisibility();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    stop();
  };
}

async function follow(path, signal, onEvent) {
  const response = await send("GET", path, { signal, headers: { Accept: "text/event-stream" } });
  if (!response.ok) throw new Unreachable(`The server answered ${response.status}.`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const each of events) dispatch(each, onEvent);
  }
}

function dispatch(text, onEvent) {
  const fields = { event: "message", data: "" };
  for (const line of text.split("\n")) {
    const [, name, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
    if (name === "event") fields.event = value;
    if (name === "data") fields.data += value;
  }
  if (fields.data) onEvent(fields.event, JSON.parse(fields.data));
}
