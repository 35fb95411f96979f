/** The request as programs: what is copied works as it is. */
import { base, hasKey, targetOf } from "./api.js";
import { codeBlock } from "./blocks.js";
import { h, options, replace } from "./dom.js";
import { parse, read, tensorOf } from "./values.js";

const MOST_CODE = 500_000; // characters

const VARIABLE = "TORCH_SERVING_API_KEY"; // of the environment: a key is never written down
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const URL_PARTS = /^(https?):\/\/(.*?)\/?$/;

const LANGUAGES = { curl, Python: python, JavaScript: javascript, tritonclient: triton };

/** A choice of languages and the program in it; update({query, body: text in JSON, oip: example}). */
export function createPrograms() {
  let call;
  const draw = () => replace(place, codeBlock(LANGUAGES[language.value](call), `${language.value} program`));
  const language = h("select", { ariaLabel: "Language", onchange: draw });
  const place = h("div");
  const update = (next) => {
    call = next;
    if (typeof read(call.body) === "string" || call.body.length > MOST_CODE) return replace(place, h("p", null, "This body is no JSON, or too long to be shown."));
    const known = Object.keys(LANGUAGES).filter((name) => LANGUAGES[name](call));
    const chosen = known.includes(language.value) ? language.value : known[0];
    replace(language, options(known));
    language.value = chosen;
    draw();
  };
  return { element: h("div", null, language, place), update };
}

function curl({ query, body }) {
  const key = hasKey() ? ` -H "Authorization: Bearer $${VARIABLE}"` : "";
  const start = `curl ${quoted(base + targetOf(query))}${key} -H 'Content-Type: application/json'`;
  // a shell takes a long text from its input only
  return body.length < 50_000 ? `${start} --data-raw ${quoted(body)}` : `${start} --data-binary @- <<'JSON'\n${body}\nJSON`;
}

function python({ query, body }) {
  const key = hasKey() ? `\n    headers={"Authorization": "Bearer " + os.environ["${VARIABLE}"]},` : "";
  return `${key && "import os\n\n"}import requests

response = requests.post(
    ${JSON.stringify(`${base}serve`)},
    params=${literal(query)},${key}
    json=${pythonOf(body)},
)
print(response.json())
`;
}

/** JSON as Python writes it: its words are other ones outside of strings. */
function pythonOf(json) {
  const words = { true: "True", false: "False", null: "None" };
  return json.replace(/"(\\.|[^"\\])*"|true|false|null/g, (found) => words[found] ?? found);
}

const literal = (value) => pythonOf(JSON.stringify(value));

function javascript({ query, body }) {
  const key = hasKey() ? `\n    Authorization: \`Bearer \${process.env.${VARIABLE}}\`,` : "";
  const isExact = JSON.stringify(JSON.parse(body)) === body && !body.includes("__proto__");
  return `fetch(${JSON.stringify(base + targetOf(query))}, {
  method: "POST",
  headers: {${key}
    "Content-Type": "application/json",
  },
  body: ${isExact ? `JSON.stringify(${body})` : JSON.stringify(body)},
})
  .then((response) => response.json())
  .then((answer) => console.log(answer));
`;
}

/** For the Open Inference Protocol; "" for what it has no form for. */
function triton({ query, body, oip }) {
  const { servable_identifier: name, ...others } = query;
  const inputs = oip && !Object.keys(others).length ? leaves("", parse(body), oip.inputs) : null;
  if (!inputs) return "";
  const [, scheme, host] = base.match(URL_PARTS);
  const key = hasKey() ? `, headers={"Authorization": "Bearer " + os.environ["${VARIABLE}"]}` : "";
  return `${key && "import os\n\n"}import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient(${JSON.stringify(host)}${scheme === "https" ? ", ssl=True" : ""})
inputs = []
for name, datatype, dtype, shape, values in [
${inputs.map((each) => `    (${each.map(literal).join(", ")}),\n`).join("")}]:
    array = np.array(values, dtype).reshape(shape)
    inputs.append(triton.InferInput(name, shape, datatype).set_data_from_numpy(array))
result = client.infer(${JSON.stringify(name)}, inputs${key})
for output in result.get_response()["outputs"]:
    print(output["name"], result.as_numpy(output["name"]))
`;
}

/** [[name, datatype, numpy's type, shape, values], …] of a value; null where a part has no form. */
function leaves(name, value, known) {
  const like = known.find((each) => each.name === name) ?? known.find((each) => folderOf(name) && folderOf(each.name) === folderOf(name));
  const tensor = value === null ? null : tensorOf(value);
  const isOne = typeof value !== "object";
  if (value === null || (isOne && like?.shape.length !== 0)) return []; // what is fixed in a program may be left out
  if (like && tensor) return leaf(name, tensor, like.datatype);
  if (isOne || "type" in value) return null;
  const parts = Object.entries(value).map(([key, each]) => leaves(name ? `${name}.${key}` : key, each, known));
  return parts.includes(null) ? null : parts.flat();
}

const folderOf = (name) => name.slice(0, Math.max(name.lastIndexOf("."), 0));

function leaf(name, { shape, value, data_type }, usual) {
  const datatype = data_type ? data_type.toUpperCase().replace(/^FLOAT/, "FP") : usual;
  const dtype = datatype === "BYTES" ? "object" : datatype.toLowerCase().replace("fp", "float");
  return /^(BOOL|BYTES|U?INT\d+|FP\d+)$/.test(datatype) ? [[name, datatype, dtype, shape, value]] : null;
}
