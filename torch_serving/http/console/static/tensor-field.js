/** A tensor: as a table, as JSON, as an image, or, where it is large, in few words. */
import { load } from "./api.js";
import { field as labelled, h, options, plain, replace, row } from "./dom.js";
import { createNote, fieldset, jsonField } from "./form.js";
import { pictureOf, sample, UNKNOWN } from "./types.js";
import { fitsTable, random, read, shown, tensorOf, zeros } from "./values.js";

const DATA_TYPES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128".split(" ");
const ANY_IMAGE = [1, 3, 8, 8];
const MOST_TEXT = 20_000; // characters; areas with more of them get slow

export function tensorField(name, spec, example, form) {
  const note = createNote(form);
  const place = h("div");
  const usual = tensorOf(sample({ ...spec, kind: "tensor" }));
  const isUnknown = example === UNKNOWN;
  const { shape, data_type } = (!isUnknown && tensorOf(example)) || usual;
  const like = { shape, data_type: data_type || usual.data_type };
  const isImage = example?.type === "image"; // of a request that was sent before
  const picture = isImage ? { envelope: example } : pictureOf(spec, isUnknown ? { ...like, shape: ANY_IMAGE } : like);
  const field = { name, spec, example: isUnknown ? usual : example, form, note, like, picture, asJson: false };
  field.tensorOf = (value) => {
    const found = tensorOf(value);
    return found && { ...found, data_type: found.data_type || like.data_type };
  };
  field.show = (value) => {
    field.view = viewOf(field, value);
    replace(place, toolbar(field), field.view.element);
  };
  field.set = (value) => {
    field.turn = {}; // files that are still read are out of date
    note.write("");
    field.show(value);
    form.changed();
  };
  field.accept = (file) => {
    const reading = accept(field, file).catch(({ message }) => note.write(message));
    if (file) form.readings.set(field, reading); // nobody waits for the camera
  };
  field.show(field.example);
  const element = fieldset(name, spec, place, note.element);
  form.accepts.push({ element, accept: field.accept, forImages: Boolean(picture) });
  return { element, value: () => field.view.value(), tell: (steps, text) => field.view.tell?.(steps, text) ?? note.tell(text) };
}

/** Take a file, an element with a picture, or else a picture of the camera. */
async function accept(field, given) {
  const turn = (field.turn = {});
  const { encoded, takePicture, tensorsIn } = await load("files", "dialog");
  const file = given ?? (await takePicture());
  if (!file) return;
  const isImage = file instanceof Element || file.type.startsWith("image/");
  if (isImage && !field.picture) throw new Error("This tensor has not the shape of an image.");
  const found = isImage ? await encoded(file, field.picture) : await tensorsIn(file);
  if (turn !== field.turn) return;
  if (isImage) field.source = file;
  field.set(isImage ? found : (found[field.name] ?? Object.values(found)[0]));
}

function viewOf(field, value) {
  const { name, form, asJson } = field;
  const tensor = field.tensorOf(value);
  if (!asJson && value?.type === "image") return imageView(field, value);
  if (!asJson && tensor && fitsTable(tensor)) return tableView(field, tensor);
  const text = JSON.stringify(value);
  if (text.length <= MOST_TEXT) return jsonField(name, { type: "as JSON" }, value, form);
  const what = tensor ? `${tensor.shape.join(" × ")} ${tensor.data_type}: ${tensor.value.slice(0, 6).map(shown).join(", ")}` : text.slice(0, 60);
  return { element: h("p", { class: "quiet mono" }, what, ` … (${text.length.toLocaleString("en")} characters)`), value: () => value };
}

function toolbar(field) {
  const tensor = field.tensorOf(field.view.value());
  const like = tensor ?? field.like;
  const onchange = () => {
    field.accept(chooser.files[0]);
    chooser.value = ""; // the same file may be chosen again
  };
  const chooser = h("input", { type: "file", hidden: true, onchange });
  const json = () => {
    field.asJson = !field.asJson;
    field.show(field.view.value());
  };
  return row(
    tensor && !field.spec.data_type && typeSelect(field, tensor),
    plain("Example", () => field.set(field.example)),
    plain("Zeros", () => field.set(zeros(like))),
    plain("Random", () => field.set(random(like))),
    plain(field.picture ? "Image, file…" : "File…", () => chooser.click()),
    field.picture && plain("Camera…", () => field.accept()),
    plain("JSON", json, { ariaPressed: String(field.asJson) }),
    chooser,
  );
}

function typeSelect(field, tensor) {
  const onchange = ({ target }) => field.set({ ...field.tensorOf(field.view.value()), data_type: target.value });
  return h("select", { ariaLabel: `Data type of ${field.name}`, value: tensor.data_type, onchange }, options(DATA_TYPES));
}

/** A table of inputs, and buttons that change its size where the shape allows that. */
function tableView(field, tensor) {
  const columns = tensor.shape.at(-1) ?? 1;
  const cells = tensor.value.map((value, index) => {
    const ariaLabel = `${field.name} row ${Math.floor(index / columns) + 1} column ${(index % columns) + 1}`;
    return h("input", { value: shown(value), autocomplete: "off", oninput: field.form.changed, ariaLabel });
  });
  const lines = Array.from({ length: cells.length / columns }, (_, y) => cells.slice(y * columns, (y + 1) * columns));
  const rows = () => lines.map((line) => line.map((cell) => read(cell.value.trim())));
  const envelope = (value, shape) => ({ ...tensor, shape, value: value.flat() });
  const resize = (axis, by) => {
    const sized = (list, blank) => (by > 0 ? [...list, blank] : list.slice(0, -1));
    const found = axis === -1 ? rows().map((line) => sized(line, 0)) : sized(rows(), Array(columns).fill(0));
    field.set(envelope(found, tensor.shape.with(axis, tensor.shape.at(axis) + by)));
  };
  const table = h("table", { class: "cells" }, lines.map((line) => h("tr", null, line.map((cell) => h("td", null, cell)))));
  const buttons = [-1, -2].slice(0, tensor.shape.length).map((axis) => resizers(field, tensor, axis, resize));
  const tell = ([step, index], text) => field.note.tell(text, step === "value" ? cells[index] : undefined);
  return { element: h("div", null, h("div", { class: "scroll" }, table), row(buttons)), value: () => envelope(rows(), tensor.shape), tell };
}

function resizers({ spec }, { shape }, axis, resize) {
  const declared = spec.shape?.at(axis);
  const { min = 1, max = 16 } = declared >= 0 ? { min: declared, max: declared } : (declared ?? {});
  const size = shape.at(axis);
  const what = axis === -1 ? "column" : "row";
  const change = (sign, by) => plain(`${sign} ${what}`, () => resize(axis, by), { disabled: size + by < Math.max(min, 1) || size + by > max });
  return min < max && [change("+", 1), change("−", -1)];
}

function imageView(field, value) {
  const { picture } = field;
  const told = h("span", { class: "quiet" });
  const onload = () => (told.textContent = `${image.naturalWidth} × ${image.naturalHeight} pixels`);
  const image = h("img", { src: `data:image/png;base64,${value.value}`, alt: `The image for ${field.name}`, onload });
  const onchange = () => {
    [picture.width, picture.height] = size.value.match(/\d+/g)?.map(Number) ?? [];
    field.accept(field.source ?? image);
  };
  const size = h("input", { value: picture.width ? `${picture.width} × ${picture.height}` : "", placeholder: "as it is", onchange });
  return { element: row(image, told, labelled("Scale to", size)), value: () => value };
}
