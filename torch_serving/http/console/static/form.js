/**
 * Fields for the parts of a request. A field is {element, value(), tell(steps, text)}: it begins with
 * a value, and `tell` shows what is wrong at the part to which the steps of a JSON pointer lead.
 * `form` is {changed(), told: what to forget before the next request, accepts: who takes files, readings: of fields}.
 */
import { load } from "./api.js";
import { button, field as labelled, h, options, plain, replace } from "./dom.js";
import { tensorField } from "./tensor-field.js";
import { choicesOf, fits, partsOf, sample, UNKNOWN } from "./types.js";
import { parse, read, shown } from "./values.js";

const LINES = {
  int: [/^-?\d+(\.0*)?$/, "a whole number"],
  number: [/^-?\d+(\.\d+)?(e[-+]?\d+)?$/i, "a number"],
  float: [/^(-?\d+(\.\d+)?(e[-+]?\d+)?|NaN|-?Infinity)$/i, "a number, NaN or Infinity"],
};
const FIELDS = { tensor: tensorField, any: tensorField, int: lineField, number: lineField, float: lineField, bool: selectField, enum: selectField,
  str: textField, device: textField, none: fixedField, absent: fixedField, constant: fixedField, list: seriesField };

let notes = 0;

/** A field for a value; what none of the type can show stands there as JSON. */
export function createField(name, spec, value, form) {
  if (value === UNKNOWN && spec.kind !== "tensor") value = sample(spec);
  const isFit = fits(spec, value);
  if (isFit && choicesOf(spec).length > 1) return choiceField(name, spec, value, form);
  const ofKind = FIELDS[spec.kind] ?? (spec.kind === "dict" && !spec.closed ? seriesField : groupField);
  return (isFit ? ofKind : jsonField)(name, spec, value, form);
}

function title(name, { type, data_type, shape }) {
  const sizes = shape && `[${shape.map((size) => size.name ?? shown(size)).join(", ")}]`;
  const what = [type?.split(".").at(-1), data_type, sizes].filter(Boolean).join(" ");
  return h("span", null, h("strong", null, name), " ", h("small", { class: "quiet" }, what));
}

/** The place that says what is wrong with an input. */
export function createNote(form) {
  const element = h("p", { class: "bad", id: `note-${++notes}` });
  const write = (text, input) => {
    element.textContent = text;
    input?.setAttribute("aria-invalid", Boolean(text));
    input?.setAttribute("aria-describedby", element.id);
  };
  const tell = (text, input) => {
    write(text, input);
    form.told.push(() => write("", input));
    element.scrollIntoView({ block: "nearest" });
    return true;
  };
  return { element, write, tell };
}

function leaf(name, spec, input, value, form, problem = () => "") {
  const note = createNote(form);
  input.addEventListener("input", () => {
    note.write(problem(), input);
    form.changed();
  });
  const element = h("div", { class: "part" }, labelled(title(name, spec), input), note.element);
  return { element, value, tell: (steps, text) => note.tell(text, input) };
}

function lineField(name, spec, value, form) {
  const [pattern, what] = LINES[spec.kind];
  const input = h("input", { value: shown(value), autocomplete: "off" });
  const problem = () => (pattern.test(input.value.trim()) ? "" : `This is not ${what}.`);
  return leaf(name, spec, input, () => read(input.value.trim()), form, problem);
}

function selectField(name, spec, value, form) {
  const input = h("select", { value: String(value) }, options(spec.names ?? ["true", "false"]));
  return leaf(name, spec, input, () => (spec.names ? input.value : input.value === "true"), form);
}

function textField(name, spec, value, form) {
  const input = h("textarea", { value, class: "text" });
  const field = leaf(name, spec, input, () => input.value, form);
  const accept = (file) => {
    const take = (text) => {
      if (form.readings.get(field) !== reading) return; // another came meanwhile
      input.value = text;
      form.changed();
    };
    const reading = load("files", "dialog").then(({ textOf }) => textOf(file)).then(take);
    form.readings.set(field, reading);
    return reading;
  };
  form.accepts.push({ element: field.element, accept, forImages: false });
  return field;
}

function fixedField(name, spec, value) {
  return { element: h("p", { class: "part" }, title(name, spec)), value: () => value, tell: () => false };
}

export function jsonField(name, spec, value, form) {
  const input = h("textarea", { value: shown(JSON.stringify(value) ?? ""), spellcheck: false });
  return leaf(name, spec, input, () => read(input.value), form, () => jsonProblem(input.value));
}

export function jsonProblem(text) {
  try {
    parse(text);
    return "";
  } catch (error) {
    return `This is no JSON: ${error.message}`;
  }
}

/** Tell the field to which the first step leads; whether there was one. */
export function tellPart(fields, [step, ...steps], text) {
  const [, field] = fields.find(([name]) => name === step) ?? [];
  return Boolean(field?.tell(steps, text));
}

export const fieldset = (name, spec, ...content) => h("fieldset", null, h("legend", null, title(name, spec)), content);

function groupField(name, spec, value, form) {
  const fields = partsOf(spec).map(([step, part]) => [step, createField(step, part, value[step], form)]);
  const note = createNote(form);
  const read = () => fields.map(([step, field]) => [step, field.value()]);
  return {
    element: fieldset(name, spec, fields.map(([, field]) => field.element), note.element),
    value: () => (Array.isArray(value) ? read().map(([, each]) => each) : Object.fromEntries(read())),
    tell: (steps, text) => tellPart(fields, steps, text) || note.tell(text),
  };
}

/** A list, a dictionary, or a list of keys and values: entries come and go. */
function seriesField(name, spec, start, form) {
  const isList = Array.isArray(start);
  const typeOf = (key) => (isList ? (spec.kind === "dict" ? { kind: "tuple", parts: spec.parts } : spec.parts[0]) : (spec.members?.[key] ?? spec.parts[1]));
  const body = h("div");
  const note = createNote(form);
  let entries = [];
  const pairs = () => entries.map(({ key, field }) => [key.value, field.value()]);
  const build = (values) => {
    entries = values.map(([key, each], index) => entry(key, each, index));
    replace(body, entries.map(({ element }) => element));
  };
  const set = (values) => {
    build(values);
    form.changed();
  };
  const onKey = () => {
    const isTwice = new Set(entries.map(({ key }) => key.value)).size < entries.length;
    note.write(isTwice ? "A key stands twice; the last one counts." : "");
    form.changed();
  };
  const entry = (key, each, index) => {
    const input = h("input", { value: key, hidden: isList, ariaLabel: `Key of ${name}`, oninput: onKey });
    const field = createField(isList ? `${name}[${index}]` : "", typeOf(key), each, form);
    const remove = plain("✕", () => set(pairs().filter((_, other) => other !== index)), { ariaLabel: `Remove ${key} of ${name}` });
    return { key: input, field, element: h("div", { class: "entry" }, h("div", null, input, field.element), remove) };
  };
  const add = () => {
    const key = isList ? String(entries.length) : `key${entries.length + 1}`;
    set([...pairs(), [key, entries.at(-1)?.field.value() ?? sample(typeOf(key))]]);
  };
  build(Object.entries(start));
  return {
    element: fieldset(name, spec, body, button("+ Add", add, { ariaLabel: `Add to ${name}` }), note.element),
    value: () => (isList ? pairs().map(([, each]) => each) : Object.fromEntries(pairs())),
    tell: (steps, text) => tellPart(entries.map(({ key, field }) => [key.value, field]), steps, text) || note.tell(text),
  };
}

/** A value of one of several types; also of an argument that may be left out. */
function choiceField(name, spec, value, form) {
  const choices = choicesOf(spec);
  const place = h("div");
  const select = h("select", null, options(choices.map(({ type }) => type)));
  let field;
  const set = (each) => {
    field = createField(name, choices[select.selectedIndex], each, form);
    replace(place, /^(none|absent)$/.test(choices[select.selectedIndex].kind) ? null : field.element);
  };
  select.selectedIndex = choices.findIndex((each) => fits(each, value));
  select.addEventListener("change", () => {
    set(sample(choices[select.selectedIndex]));
    form.changed();
  });
  set(value);
  return { element: h("div", { class: "part" }, labelled(title(name, {}), select), place), value: () => field.value(), tell: (steps, text) => field.tell(steps, text) };
}
