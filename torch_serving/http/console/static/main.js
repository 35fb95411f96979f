/** The page: views by the fragment of the address, the theme, the connection. */
import { base, request, stream } from "./api.js";
import { announce, h, replace, write } from "./dom.js";
import { createStats } from "./stats.js";

const TITLES = { models: "Models", try: "Try", live: "Live" };
const STATES = { open: "● live", lost: "○ no connection; trying again", paused: "○ paused" };
const content = document.getElementById("content");
const views = {};
let current = null;

const app = { request, base, announce, go: (hash) => (location.hash = hash) };

/** {name, model, method} of "#/try/<encoded identifier>?method=…". */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const method = new URLSearchParams(query).get("method") ?? "";
  return { name: name in TITLES ? name : "models", model: decoded(rest.join("/")), method };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand
  }
}

async function view(name) {
  try {
    const module = await import(`./${name}.js`);
    return module.create(app);
  } catch (error) {
    console.warn(error);
    const text = `The view ${TITLES[name]} could not be loaded. Reload the page; if it stays so, the server is not whole.`;
    return { element: h("section", null, h("h1", null, TITLES[name]), h("p", null, text)), show() {}, hide() {} };
  }
}

async function show() {
  const route = parse(location.hash);
  const chosen = await (views[route.name] ??= view(route.name));
  if (parse(location.hash).name !== route.name) return; // gone elsewhere meanwhile
  if (current !== chosen) {
    const first = current === null;
    current?.hide();
    current = chosen;
    replace(content, chosen.element);
    document.title = `${TITLES[route.name]} · torch-serving`;
    mark(route.name);
    if (!first) content.focus({ preventScroll: true });
  }
  chosen.show(route);
}

function mark(name) {
  for (const link of document.querySelectorAll("nav.tabs a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** The system's theme, or the one that was chosen. */
function theme() {
  const root = document.documentElement.style;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const isDark = () => (root.colorScheme ? root.colorScheme === "dark" : dark.matches);
  const label = () => write(button, isDark() ? "Light" : "Dark");
  button.addEventListener("click", () => {
    root.colorScheme = isDark() ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();
}

function onState(state) {
  write(document.getElementById("connection"), STATES[state]);
}

theme();
app.stats = createStats((onEvent) => stream("console/stats", onEvent, onState));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the view
  content.focus();
});
addEventListener("hashchange", show);
show();
