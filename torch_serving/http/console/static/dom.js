/**
 * Elements, made without any HTML text. Conventions of the console:
 * - What comes from the server or the user becomes a text node; no module parses HTML or code.
 * - A view module exports create(app) -> {element, show(route), hide()}, with an <h1>.
 * - Classes: see style.css. Colours are its custom properties, never literals; --c1 to --c5 are for series.
 * - Components of more than one element are in parts.js, words for numbers in format.js.
 */

const READ_ONLY = ["list", "form"];

/** An element. Attributes: properties, on… listeners, class, aria-*, data-*, style: {…}. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value == null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "style") for (const each of Object.entries(value)) element.style.setProperty(...each);
    else if (name in element && !READ_ONLY.includes(name)) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...nodes(children));
  return element;
}

/** An element of a drawing. */
export function s(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value != null) element.setAttribute(name, value);
  }
  element.append(...nodes(children));
  return element;
}

const nodes = (children) => children.flat(Infinity).filter((each) => each != null && each !== false);

/** Give an element other children. */
export function replace(parent, ...children) {
  parent.replaceChildren(...nodes(children));
}

/** Write a text where it differs: what does not change costs no layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Let screen readers say it. */
export function announce(text) {
  const place = document.getElementById("announcement");
  place.textContent = "";
  setTimeout(() => (place.textContent = text), 50);
}
