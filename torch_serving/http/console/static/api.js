/** The server: requests with the key, its stream of events, and more of the page. */

/** The URL of the server's root as the page sees it; it ends with "/". */
export const base = new URL("..", import.meta.url).href;

const SILENCE_MS = 10_000; // events come each two seconds
let key = ""; // in memory only
let declined = false;
let asking = null;

/** The path of a model, and that of a request. */
export const pathOf = (model) => `models/${model.split("/").map(encodeURIComponent).join("/")}`;
export const targetOf = (query) => `serve?${new URLSearchParams(query)}`.replaceAll("+", "%20");

/** Whether the server wants a key, and has one. */
export const hasKey = () => key !== "";

/**
 * Ask the server. `path` is relative to its root. A 401 asks the user for the key and tries again.
 * Resolves with {status, headers, bytes, ms, text()} whatever the status is. `quiet`, for what
 * the page does by itself: the user who gave no key is not asked again.
 */
export async function request(method, path, options) {
  const [response, started] = await send(method, path, options);
  const bytes = new Uint8Array(await response.arrayBuffer().catch(unreachable));
  const ms = performance.now() - started;
  return { status: response.status, headers: Object.fromEntries(response.headers), bytes, ms, text: () => new TextDecoder().decode(bytes) };
}

/** The text of a response; what is no success throws what it says of itself. */
export async function demand(method, path, options) {
  const response = await request(method, path, options);
  const text = response.text();
  if (response.status === 200) return text;
  const { description, error, detail } = parsed(text) ?? {};
  throw new Error([description ?? error ?? `The server answered ${response.status}`, detail].filter(Boolean).join(": "));
}

/** The document, or null. */
export function parsed(text, reviver) {
  try {
    return JSON.parse(text, reviver);
  } catch {
    return null;
  }
}

/** What modules export that are wanted only now; all are fetched at once, so that none waits for another. */
export async function load(...names) {
  const modules = names.map((name) => import(`./${name}.js`));
  return Object.assign({}, ...(await Promise.all(modules).catch(notLoaded)));
}

function notLoaded(error) {
  console.warn(error);
  throw new Error("This part of the page could not be loaded. Try again, or reload the page.");
}

async function send(method, path, { headers, quiet, ...options } = {}) {
  for (;;) {
    const [used, started] = [key, performance.now()];
    const all = { ...headers, ...(key && { Authorization: `Bearer ${key}` }) };
    const response = await fetch(new URL(path, base), { ...options, method, headers: all, cache: "no-store" }).catch(unreachable);
    if (response.status !== 401 || (quiet && declined) || !(await askForKey(used))) return [response, started];
  }
}

function unreachable(error) {
  if (error.name === "AbortError") throw error;
  throw new Error("The server does not answer: it has stopped, or the network is down.");
}

/** Ask once for all requests that wait; whether there is another key than `used` now. */
async function askForKey(used) {
  if (key === used) key = (await (asking ??= load("dialog").then(({ askKey }) => askKey(used)).finally(() => (asking = null)))) || key;
  declined = key === used;
  return !declined;
}

/**
 * Follow server-sent events: onEvent(name, data) for each, onState("live" | "no connection" | "paused").
 * Connects again after a second, then two, up to 16, also where nothing comes any longer; rests while the page is hidden.
 */
export async function stream(path, onEvent, onState) {
  let wait_ms = 1000;
  let wake;
  document.addEventListener("visibilitychange", () => wake());
  const take = (...event) => {
    wait_ms = 1000;
    onState("live");
    onEvent(...event);
  };
  for (;;) {
    const aborter = new AbortController();
    wake = () => aborter.abort();
    if (!document.hidden) await follow(path, aborter, take).catch(() => null);
    onState(document.hidden ? "paused" : "no connection");
    await new Promise((resolve) => {
      wake = resolve;
      if (!document.hidden) setTimeout(resolve, wait_ms);
    });
    wait_ms = Math.min(2 * wait_ms, 16_000);
  }
}

async function follow(path, aborter, take) {
  const [response] = await send("GET", path, { signal: aborter.signal, quiet: true, headers: { Accept: "text/event-stream" } });
  if (!response.ok) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const timer = setTimeout(() => aborter.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const each of events) {
      const [, name, data] = each.match(/event: (.*)\ndata: (.*)/) ?? [];
      if (data) take(name, JSON.parse(data));
    }
  }
}
