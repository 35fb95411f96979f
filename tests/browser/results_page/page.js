/** The result area alone, with outcomes that a test gives it. */
import { createResults } from "../console/result.js";

const results = createResults({ onReuse: (outcome) => (window.reused = outcome.inputs) });
document.getElementById("content").append(results.element);

/** A picture whose left half is red and whose right half is blue. */
function picture(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  for (const [color, x] of [["red", 0], ["blue", width / 2]]) {
    context.fillStyle = color;
    context.fillRect(x, 0, width / 2, height);
  }
  return { type: "image", value: canvas.toDataURL().split(",")[1] };
}

const USUAL = { model: "m.pt", method: "forward", inputs: {}, sent_bytes: 1, status: 200, headers: {}, ms: 50, text: "{}" };

async function show({ picture: size, ...outcome }) {
  const inputs = size && { inputs: { image: picture(...size) } };
  await results.show({ ...USUAL, ...outcome, ...inputs, time: new Date() });
}

/** The colour of a pixel of the first picture. */
function pixel(x, y) {
  return [...document.querySelector("canvas").getContext("2d").getImageData(x, y, 1, 1).data];
}

/** The text of a response with a tensor of this shape. */
function large(shape) {
  const values = Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => ((i * 7919) % 10007) / 10007);
  return `{"code":200,"result":{"type":"tensor","shape":[${shape}],"data_type":"float32","value":[${values}]}}`;
}

Object.assign(window, { show, pixel, large, pending: results.pending, ready: true });
