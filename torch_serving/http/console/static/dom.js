/**
 * Elements, made without any HTML text.
 *
 * Conventions of the console, for all modules:
 * - What comes from the server or the user becomes a text node. No module parses HTML or code.
 * - A view exports create(app) -> {element, show(route), hide()}; its heading is an <h1> of its own.
 * - Classes that style.css knows: card, row, grid, field, quiet, number, badge (+ ok, warn, bad, info),
 *   pending, error, code, plain, primary, danger, unseen, scroll, table[class=data], tabs.
 * - Colours and spaces are custom properties (--ink, --line, --accent, --space, …), never literals.
 * - Components of more than one element are in parts.js, words for numbers in format.js.
 */

const SVG = "http://www.w3.org/2000/svg";
const READ_ONLY = new Set(["list", "form"]);

/** An element. Attributes: properties, on… listeners, class, aria-*, data-*, style: {…}. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

/** An element of a drawing; all its attributes are attributes, but listeners. */
export function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value != null) element.setAttribute(name, value);
  }
  element.append(...nodes(children));
  return element;
}

function set(element, name, value) {
  if (value == null) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "class") element.className = value;
  else if (name === "style") {
    for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
  } else if (name in element && !READ_ONLY.has(name)) element[name] = value;
  else element.setAttribute(name, value);
}

function nodes(children) {
  return children.flat(Infinity).filter((each) => each != null && each !== false);
}

/** Give an element other children. */
export function replace(parent, ...children) {
  parent.replaceChildren(...nodes(children));
}

/** Write a text where it differs: what does not change costs no layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let clearing;

/** Let screen readers say it. */
export function announce(text) {
  const place = document.getElementById("announcement");
  place.textContent = "";
  clearTimeout(clearing);
  clearing = setTimeout(() => (place.textContent = text), 50);
}
