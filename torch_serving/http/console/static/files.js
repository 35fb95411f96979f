/** Files that become values: texts, images, the camera's pictures, .npy and .safetensors. */
import { ask } from "./dialog.js";
import { h } from "./dom.js";

const ARRAYS = {
  bool: Uint8Array, uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array, uint32: Uint32Array, int32: Int32Array,
  uint64: BigUint64Array, int64: BigInt64Array, float16: globalThis.Float16Array, float32: Float32Array, float64: Float64Array,
};
const KINDS = { b: "bool", bool: "bool", i: "int", u: "uint", f: "float" };

/** The text of a file; base64 of one that is none. */
export async function textOf(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return base64Of(file);
  }
}

function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(reader.error);
    reader.onload = () => resolve(reader.result.split(",")[1]);
    reader.readAsDataURL(file);
  });
}

/** The tensors of a file by name; that of a .npy has none. */
export async function tensorsIn(file) {
  const data = await file.arrayBuffer();
  const view = new DataView(data);
  const latin = (start, end) => new TextDecoder("latin1").decode(data.slice(start, end));
  if (latin(1, 6) === "NUMPY") {
    const start = 10 + view.getUint16(8, true);
    const [, code, order, shape] = latin(10, start).match(/'[<|](\w+)'.*(False|True).*\((.*)\)/) ?? [];
    if (order !== "False") throw new Error("Of .npy, this page reads little-endian numbers in C order.");
    return { "": tensor(data.slice(start), typeOf(code), (shape.match(/\d+/g) ?? []).map(Number)) };
  }
  const start = 8 + (data.byteLength > 8 ? Number(view.getBigUint64(0, true)) : 0);
  if (start > data.byteLength || latin(8, 9) !== "{") throw new Error("This page reads images, .npy and .safetensors here.");
  const { __metadata__, ...found } = JSON.parse(new TextDecoder().decode(data.slice(8, start)));
  const read = ([name, { dtype, shape, data_offsets: [from, to] }]) => [name, tensor(data.slice(start + from, start + to), typeOf(dtype.toLowerCase(), 1), shape)];
  return Object.fromEntries(Object.entries(found).map(read));
}

/** "f4", or "f32" where sizes are bits -> "float32" */
function typeOf(code, bits = 8) {
  const [, kind, size] = code.match(/^([a-z]+)(\d*)$/);
  const name = KINDS[kind] === "bool" ? "bool" : KINDS[kind] + bits * size;
  if (!ARRAYS[name]) throw new Error(`This page can't read numbers of the type ${code}.`);
  return name;
}

function tensor(data, data_type, shape) {
  const value = Array.from(new ARRAYS[data_type](data), (each) => {
    if (data_type === "bool") return each === 1;
    if (typeof each === "bigint") return JSON.rawJSON ? JSON.rawJSON(String(each)) : Number(each);
    return Number.isFinite(each) ? each : String(each);
  });
  return { type: "tensor", shape, value, data_type };
}

/** The envelope of an image, which is a file or an element. */
export async function encoded(image, { envelope, width, height }) {
  const isKnown = /^image\/(png|jpeg|webp|gif|bmp)$/.test(image.type);
  return { ...envelope, value: await base64Of(isKnown && !width && !height ? image : await scaled(image, width, height)) };
}

async function scaled(image, width, height) {
  const sizes = { ...(width && { resizeWidth: width }), ...(height && { resizeHeight: height }) };
  const bitmap = await createImageBitmap(image, { resizeQuality: "high", ...sizes });
  const canvas = h("canvas", { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve));
}

/** A picture of the camera, which is asked for now; null where the user takes none. */
export async function takePicture() {
  if (!navigator.mediaDevices) throw new Error("Browsers give the camera to pages of HTTPS, or of this machine, alone.");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).catch(({ message }) => {
    throw new Error(`No picture from the camera: ${message}`);
  });
  const video = h("video", { srcObject: stream, autoplay: true, muted: true, playsInline: true });
  try {
    return (await ask("Camera", video, "Take picture")) ? await scaled(video) : null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}
