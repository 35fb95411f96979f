/** The page: views by the fragment of the address, the theme, the connection. */
import { base, request, stream } from "./api.js";
import { announce, h, replace, write } from "./dom.js";
import { createStats } from "./stats.js";

const TITLES = { models: "Models", try: "Try", live: "Live" };
const $ = (id) => document.getElementById(id);
const views = {};
const app = { request, base, announce, go: (hash) => (location.hash = hash) };
let current = null;

/** {name, model, method} of "#/try/<encoded identifier>?method=…". */
function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
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
    return (await import(`./${name}.js`)).create(app);
  } catch (error) {
    console.warn(error);
    const text = "This view could not be loaded. Reload the page.";
    return { element: h("section", null, h("h1", null, TITLES[name]), text), show() {}, hide() {} };
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
    document.title = `${TITLES[route.name]} · torch-serving`;
    for (const link of document.querySelectorAll("nav a")) link.ariaCurrent = link.hash === `#/${route.name}` ? "page" : null;
  }
  chosen.show(route);
}

/** The system's theme, until another is chosen. */
function theme() {
  const { style } = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const other = () => ((style.colorScheme || (system.matches ? "dark" : "light")) === "dark" ? "light" : "dark");
  const label = () => write($("theme"), other() === "dark" ? "Dark" : "Light");
  system.addEventListener("change", label);
  $("theme").addEventListener("click", () => {
    style.colorScheme = other();
    label();
  });
  label();
}

theme();
$("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the view
  $("content").focus();
});
app.stats = createStats((take) => stream("console/stats", take, (state) => write($("connection"), state)));
addEventListener("hashchange", show);
show();
