// Starts Swagger UI with a plugin: whoever chooses a model gets a request to it that works, and whoever chooses an
// example gets its model. The document has the examples that are known; others are asked for.
"use strict";

// path -> the parameter that names the model
const PARAMETER_OF_MODEL = {
  "/serve": "servable_identifier",
  "/v2/models/{model}/infer": "model",
  "/v2/models/{model}/versions/{version}/infer": "model",
};
const descriptions = new Map(); // model -> a promise of its description, or of null
const chosen = new Map(); // path -> the model whose example was put into the body last
const pending = new Map(); // path -> a promise of the body
let exampleIsChosen = false; // by hand: Swagger UI itself selects examples at any time

function describe(model) {
  if (!descriptions.has(model)) {
    const path = model.split("/").map(encodeURIComponent).join("/");
    const description = fetch(`models/${path}`)
      .then((response) => (response.ok ? response.json() : null))
      .catch(() => null);
    descriptions.set(model, description);
    description.then((found) => found || descriptions.delete(model));
  }
  return descriptions.get(model);
}

function examplesOf(system, path) {
  const place = ["paths", path, "post", "requestBody", "content", "application/json", "examples"];
  return system.specSelectors.specJson().getIn(place);
}

function knownRequest(system, path, model) {
  const fits = (each) => each.get("x-model") === model && !each.get("x-guessed");
  const found = examplesOf(system, path)?.findEntry(fits);
  if (!found) return null;
  const [key, example] = found;
  return { key, method: example.get("x-method"), body: example.get("value").toJS() };
}

async function request(system, path, model) {
  const known = knownRequest(system, path, model);
  if (known) return known;
  const description = await describe(model);
  if (!description) return null;
  const { methods, oip_example: oipExample } = description;
  const method = "forward" in methods ? "forward" : Object.keys(methods)[0];
  return { key: null, method, body: path === "/serve" ? methods[method].example : oipExample };
}

async function showRequest(system, pathMethod, model) {
  const [path] = pathMethod;
  const found = await request(system, path, model);
  if (chosen.get(path) !== model || !found?.body) return;
  if (found.key) showExample(system, pathMethod, found.key);
  const value = JSON.stringify(found.body, null, 2);
  system.getSystem().oas3Actions.setRequestBodyValue({ value, pathMethod });
  setParameter(system, pathMethod, "method", found.method);
}

function showExample(system, pathMethod, name) {
  const where = { pathMethod, contextType: "requestBody", contextName: "requestBody" };
  system.getSystem().oas3Actions.setActiveExamplesMember({ name, ...where });
}

function setParameter(system, pathMethod, name, value) {
  const { specSelectors, specActions } = system.getSystem();
  const parameters = specSelectors.specResolvedSubtree(["paths", ...pathMethod])?.get("parameters");
  const parameter = parameters?.find((each) => each.get("name") === name);
  if (!parameter) return;
  const shown = specSelectors.parameterWithMetaByIdentity(pathMethod, parameter);
  if (shown?.get("value") !== value) specActions.changeParamByIdentity(pathMethod, parameter, value, false);
}

const followModel = (original, system) => (pathMethod, parameter, value, isXml) => {
  const result = original(pathMethod, parameter, value, isXml);
  const [path] = pathMethod;
  const isModel = parameter.get("name") === PARAMETER_OF_MODEL[path];
  // one that is typed has no list: it is followed by no request before it is whole
  if (isModel && value && parameter.getIn(["schema", "enum"]) && chosen.get(path) !== value) {
    chosen.set(path, value);
    pending.set(path, showRequest(system, [...pathMethod], value));
  }
  return result;
};

const followExample = (original, system) => (change) => {
  const result = original(change);
  const [path] = change.pathMethod;
  const example = change.contextType === "requestBody" && examplesOf(system, path)?.get(change.name);
  if (exampleIsChosen && example && path in PARAMETER_OF_MODEL) {
    const pathMethod = [...change.pathMethod];
    chosen.set(path, example.get("x-model")); // its body is there already
    setParameter(system, pathMethod, PARAMETER_OF_MODEL[path], example.get("x-model"));
    setParameter(system, pathMethod, "method", example.get("x-method"));
  }
  return result;
};

document.addEventListener(
  "change",
  (event) => {
    exampleIsChosen = event.target.matches(".examples-select-element");
    setTimeout(() => (exampleIsChosen = false));
  },
  true, // before Swagger UI hears of it
);

const waitForBody = (original) => async (operation) => {
  await pending.get(operation.path);
  return original(operation);
};

const requestsThatWork = {
  statePlugins: {
    spec: { wrapActions: { changeParamByIdentity: followModel, execute: waitForBody } },
    oas3: { wrapActions: { setActiveExamplesMember: followExample } },
  },
};

window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  plugins: [requestsThatWork],
});
