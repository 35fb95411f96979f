/**
 * Elements, made without any HTML text. Conventions of the console:
 * - What comes from the server or the user becomes a text node; no module parses HTML or code.
 * - A view module exports create(stats) -> {element, show(route), hide()}, with an <h1>.
 * - Colours are custom properties of style.css; --c1 to --c5 are for series. Words for numbers are in format.js.
 */

/** An element. Attributes: properties, on… listeners, class, aria-*, data-*, style: {…}; set once the children are there. */
export const h = (tag, attributes, ...children) => made(document.createElement(tag), attributes, children);

/** An element of a drawing. */
export const s = (tag, attributes, ...children) => made(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function made(element, attributes, children) {
  replace(element, children);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value == null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const each of Object.entries(value)) element.style.setProperty(...each);
    else if (name in element && !(element[name] instanceof Object)) element[name] = value;
    else element.setAttribute(name, value);
  }
  return element;
}

/** Give an element other children: nodes or texts, in lists too; what is missing or false is left out. */
export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((each) => each != null && each !== false));
}

export const button = (text, onclick, attributes) => h("button", { type: "button", onclick, ...attributes }, text);
export const plain = (text, onclick, attributes) => button(text, onclick, { class: "plain", ...attributes });
export const field = (text, ...inputs) => h("label", { class: "field" }, text, inputs);
export const row = (...children) => h("div", { class: "row" }, children);
export const options = (texts) => texts.map((each) => h("option", null, each));

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
