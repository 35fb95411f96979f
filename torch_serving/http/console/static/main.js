/** The page: views by the fragment of the address, the theme, the connection. */
import { load, stream } from "./api.js";
import { button, h, replace, write } from "./dom.js";
import { errorBox } from "./parts.js";
import { createStats } from "./stats.js";

/** Of each view: its title, and the modules that it needs at once. */
const VIEWS = {
  models: ["Models", "models", "model-row", "dialog", "places", "table", "format"],
  try: ["Try", "try", "request-form", "form", "tensor-field", "types", "values"],
  live: ["Live", "live", "chart", "table", "format"],
};
const $ = (id) => document.getElementById(id);
const views = {};
const stats = createStats((take) => stream("console/stats", take, (state) => write($("connection"), state)));
let current = null;

/** {name, model, method} of "#/try/<encoded identifier>?method=…". */
function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const method = new URLSearchParams(query).get("method") ?? "";
  return { name: Object.hasOwn(VIEWS, name) ? name : "models", model: decoded(rest.join("/")), method };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand
  }
}

async function view(name) {
  const [title, ...modules] = VIEWS[name];
  try {
    return (await load(...modules)).create(stats);
  } catch ({ message }) {
    delete views[name]; // the next click tries again
    return { element: h("section", null, h("h1", null, title), errorBox(message), button("Try again", show)), show() {}, hide() {} };
  }
}

async function show() {
  const route = parse(location.hash);
  const chosen = await (views[route.name] ??= view(route.name));
  if (parse(location.hash).name !== route.name) return; // gone elsewhere meanwhile
  if (current !== chosen) {
    current?.hide();
    replace($("content"), chosen.element);
    if (current) $("content").focus({ preventScroll: true });
    current = chosen;
    document.title = `${VIEWS[route.name][0]} · torch-serving`;
    for (const link of document.querySelectorAll("nav a")) link.ariaCurrent = link.hash === `#/${route.name}` ? "page" : null;
  }
  chosen.show(route);
}

/** The system's theme, until another is chosen. */
function theme() {
  const { style } = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (style.colorScheme || (system.matches ? "dark" : "light")) === "dark";
  const label = () => write($("theme"), isDark() ? "Light" : "Dark");
  system.addEventListener("change", label);
  $("theme").addEventListener("click", () => {
    style.colorScheme = isDark() ? "light" : "dark";
    label();
  });
  label();
}

theme();
$("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the view
  $("content").focus();
});
addEventListener("hashchange", show);
show();
