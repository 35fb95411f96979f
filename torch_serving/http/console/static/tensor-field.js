/** A tensor: as a table, as JSON, as an image, or, where it is large, in few words. */
import { h, replace } from "./dom.js";
import { encoded, pictureOf, takePicture, tensorsIn } from "./files.js";
import { createNote, jsonField, title } from "./form.js";
import { sample, UNKNOWN } from "./types.js";
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
    note.write("");
    field.show(value);
    form.changed();
  };
  field.accept = (file) => accept(field, file).catch((error) => note.write(error.message));
  field.show(field.example);
  const element = h("fieldset", null, h("legend", null, title(name, spec)), place, note.element);
  form.accepts.push({ element, accept: field.accept, forImages: Boolean(picture) });
  return { element, value: () => field.view.value(), tell: (steps, text) => field.view.tell?.(steps, text) ?? note.tell(text) };
}

async function accept(field, file) {
  if (file.type.startsWith("image/")) return setImage(field, file);
  const found = await tensorsIn(file);
  field.set(found[field.name] ?? Object.values(found)[0]);
}

async function setImage(field, image) {
  if (!field.picture) throw new Error("This tensor has not the shape of an image.");
  field.source = image;
  field.set(await encoded(image, field.picture));
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
  const button = (text, onclick, more) => h("button", { type: "button", class: "plain", onclick, ...more }, text);
  const chooser = h("input", { type: "file", hidden: true, onchange: () => field.accept(chooser.files[0]) });
  const camera = async () => {
    const image = await takePicture().catch((error) => field.note.write(`No picture from the camera: ${error.message}`));
    if (image) await setImage(field, image);
  };
  const json = () => {
    field.asJson = !field.asJson;
    field.show(field.view.value());
  };
  return h("div", { class: "row" },
    tensor && !field.spec.data_type && typeSelect(field, tensor.data_type),
    button("Example", () => field.set(field.example)),
    button("Zeros", () => field.set(zeros(like))),
    button("Random", () => field.set(random(like))),
    button(field.picture ? "Image, file…" : "File…", () => chooser.click()),
    field.picture && button("Camera…", camera),
    button("JSON", json, { "aria-pressed": String(field.asJson) }),
    chooser,
  );
}

function typeSelect(field, data_type) {
  const select = h("select", { "aria-label": `Data type of ${field.name}` }, DATA_TYPES.map((each) => h("option", null, each)));
  select.value = data_type;
  select.addEventListener("change", () => field.set({ ...field.tensorOf(field.view.value()), data_type: select.value }));
  return select;
}

/** A table of inputs, and buttons that change its size where the shape allows that. */
function tableView(field, tensor) {
  const columns = tensor.shape.at(-1) ?? 1;
  const cells = tensor.value.map((value, index) => h("input", {
    value: shown(value), autocomplete: "off", oninput: field.form.changed,
    "aria-label": `${field.name} row ${Math.floor(index / columns) + 1} column ${(index % columns) + 1}`,
  }));
  const lines = Array.from({ length: cells.length / columns }, (_, row) => cells.slice(row * columns, (row + 1) * columns));
  const values = (row) => row.map((cell) => read(cell.value.trim()));
  const envelope = (value, shape) => ({ ...tensor, shape, value: value.flat() });
  const value = () => envelope(lines.map(values), tensor.shape);
  const resize = (axis, by) => {
    const sized = (list, blank) => (by > 0 ? [...list, blank] : list.slice(0, -1));
    const rows = lines.map(values);
    const found = axis === -1 ? rows.map((row) => sized(row, 0)) : sized(rows, rows[0].map(() => 0));
    field.set(envelope(found, tensor.shape.with(axis, tensor.shape.at(axis) + by)));
  };
  const table = h("table", { class: "cells" }, lines.map((row) => h("tr", null, row.map((cell) => h("td", null, cell)))));
  const buttons = [-1, -2].slice(0, tensor.shape.length).map((axis) => resizers(field, tensor, axis, resize));
  const tell = ([step, index], text) => field.note.tell(text, step === "value" ? cells[index] : undefined);
  return { element: h("div", null, h("div", { class: "scroll" }, table), h("div", { class: "row" }, buttons)), value, tell };
}

function resizers(field, tensor, axis, resize) {
  const declared = field.spec.shape?.at(axis);
  const { min = 1, max = 16 } = declared >= 0 ? { min: declared, max: declared } : (declared ?? {});
  const size = tensor.shape.at(axis);
  const change = (sign, by) => h("button", {
    type: "button", class: "plain", onclick: () => resize(axis, by), disabled: size + by < Math.max(min, 1) || size + by > max,
  }, `${sign} ${axis === -1 ? "column" : "row"}`);
  return min < max && [change("+", 1), change("−", -1)];
}

function imageView(field, value) {
  const { picture } = field;
  const told = h("span", { class: "quiet" });
  const onload = () => (told.textContent = `${image.naturalWidth} × ${image.naturalHeight} pixels`);
  const image = h("img", { src: `data:image/png;base64,${value.value}`, alt: `The image for ${field.name}`, onload });
  const resize = () => {
    [picture.width, picture.height] = size.value.match(/\d+/g)?.map(Number) ?? [];
    setImage(field, field.source ?? image);
  };
  const size = h("input", { value: picture.width ? `${picture.width} × ${picture.height}` : "", placeholder: "as it is", onchange: resize });
  return { element: h("div", { class: "row" }, image, told, h("label", { class: "field" }, "Scale to", size)), value: () => value };
}
