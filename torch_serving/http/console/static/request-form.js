/** The body of a request: as a form of a method's arguments, or as JSON. */
import { h, replace } from "./dom.js";
import { createField, createNote, jsonProblem, tellPart } from "./form.js";
import { choicesOf } from "./types.js";
import { isObject, read } from "./values.js";

const MOST_TEXT = 300_000; // characters; areas with more of them get slow

/** {element, ready(), body(), set(document), toggle(), accept(file, target), tell(detail), forget()} */
export function createRequestForm(method, changed) {
  const form = { changed, told: [], accepts: [], readings: new Map() };
  const note = createNote(form);
  const place = h("div");
  const names = method.arguments.map(({ name }) => name);
  let fields = [];
  let area = null; // where the body is shown as JSON

  const set = (document) => {
    const values = { __proto__: null, ...document };
    form.accepts = [];
    form.readings.clear();
    fields = method.arguments.map((argument) => [argument.name, createField(argument.name, typeOf(method, argument, values), values[argument.name], form)]);
    area = null;
    replace(place, fields.length ? fields.map(([, field]) => field.element) : h("p", { class: "quiet" }, "It takes no arguments."));
    changed();
  };
  const setText = (text) => {
    const oninput = () => {
      note.write(jsonProblem(area.value), area);
      changed();
    };
    area = h("textarea", { value: text, class: "body", spellcheck: false, ariaLabel: "The body as JSON", oninput });
    replace(place, area);
  };
  const body = () => {
    if (area) return area.value;
    const values = fields.map(([name, field]) => [name, field.value()]);
    return JSON.stringify(Object.fromEntries(values.filter(([, value]) => value !== undefined)));
  };
  const toggle = () => {
    const text = body();
    const document = read(text);
    const isNamed = isObject(document) && Object.keys(document).every((name) => names.includes(name));
    if (!area && text.length > MOST_TEXT) note.tell(`The body has ${text.length.toLocaleString("en")} characters: too many to edit here.`);
    else if (!area) setText(text);
    else if (isNamed) set(document);
    else note.tell("The form shows an object with the arguments by their names.");
    return area !== null;
  };
  return {
    element: h("div", null, place, note.element),
    ready: () => area || Promise.allSettled(form.readings.values()),
    body,
    set,
    toggle,
    accept: (file, target) => takerOf(form.accepts, file, target)?.accept(file)?.catch(({ message }) => note.tell(message)),
    tell: (detail) => {
      const [steps, text] = placeOf(detail);
      if (steps.length && (area || !tellPart(fields, steps, text))) note.tell(detail, area);
    },
    forget: () => form.told.splice(0).forEach((undo) => undo()),
  };
}

/** The type of an argument; one with a default, or that is missing, may be left out. */
function typeOf({ structure }, { name, type, required, default: value }, document) {
  const spec = structure[name];
  if (required && name in document) return spec;
  const absent = { kind: "absent", type: required ? "missing" : `left out: ${JSON.stringify(value)}` };
  return { kind: "union", type, parts: [absent, ...choicesOf(spec)] };
}

/** The field that a file is dropped on, or the first one for files of its kind. */
function takerOf(takers, file, target) {
  const isImage = file.type.startsWith("image/");
  const there = takers.filter(({ element }) => element.isConnected);
  return there.find(({ element }) => element.contains(target)) ?? there.find(({ forImages }) => forImages === isImage) ?? there[0];
}

/** [steps, text] of "/x/value/3: expected …"; errors without a pointer may name the argument. */
function placeOf(detail) {
  const [, pointer, text] = detail.match(/^(\/.*?): (.*)$/s) ?? [];
  const [, name] = detail.match(/argument `([^`]+)`/) ?? [];
  if (!pointer) return [name ? [name] : [], detail];
  return [pointer.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")), text];
}
