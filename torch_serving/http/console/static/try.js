/** The view in which a model is tried: its form, the request as a program, and the answer. */
import { base, hasKey } from "./api.js";
import { h, replace } from "./dom.js";
import { codeBlock, errorBox, problemOf } from "./parts.js";
import { createRequestForm } from "./request-form.js";
import { createResults } from "./result.js";
import { snippets, targetOf } from "./snippets.js";
import { parse, read } from "./values.js";

const MOST_CODE = 500_000; // characters
const pathOf = (model) => `models/${model.split("/").map(encodeURIComponent).join("/")}`;
const hashOf = (model, method) => `#/try/${encodeURIComponent(model)}${method ? `?method=${encodeURIComponent(method)}` : ""}`;

export function create(app) {
  return new Try(app);
}

class Try {
  constructor(app) {
    this.app = app;
    this.results = createResults({ onReuse: (outcome) => this.reuse(outcome) });
    this.model = h("select", { onchange: () => app.go(hashOf(this.model.value)) });
    this.method = h("select", { onchange: () => app.go(hashOf(this.model.value, this.method.value)) });
    this.device = h("select", { onchange: () => this.changed() });
    this.place = h("div", { "aria-live": "off" });
    this.buttons();
    this.language = h("select", { "aria-label": "Language", onchange: () => this.changed() });
    this.code = h("div");
    this.copy = h("details", { ontoggle: () => this.changed() }, h("summary", null, "Copy as a program"), this.language, this.code);
    this.card = h("form", { class: "card", hidden: true, onsubmit: (event) => (event.preventDefault(), this.send()) },
      this.place, h("div", { class: "row" }, this.sendButton, this.cancel, this.toggle, this.reset), this.copy);
    this.status = h("div");
    const field = (text, select) => h("label", { class: "field" }, text, select);
    const choose = h("div", { class: "row choose" }, field("Model", this.model), field("Method", this.method), field("Device", this.device));
    const columns = h("div", { class: "grid" }, h("div", null, this.status, this.card), this.results.element);
    this.element = h("section", { class: "try" }, h("h1", null, "Try"), choose, columns);
    this.listen();
  }

  buttons() {
    this.sendButton = h("button", { class: "primary", title: "Ctrl+Enter" }, "Send");
    this.cancel = h("button", { type: "button", hidden: true, onclick: () => this.sending.abort() }, "Cancel");
    this.toggle = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggled(this.form.toggle()) }, "Edit JSON");
    this.reset = h("button", { type: "button", class: "plain", onclick: () => this.fill(this.description.methods[this.name].example) }, "Reset");
  }

  listen() {
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.send();
    });
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => this.take(event, event.dataTransfer));
    this.onpaste = (event) => this.take(event, event.clipboardData);
  }

  take(event, { files: [file] }) {
    if (!file || !this.form) return;
    event.preventDefault();
    this.form.accept(file, event.target);
  }

  async show(route) {
    document.addEventListener("paste", this.onpaste);
    this.route = route;
    const { model, method } = route;
    const ready = await this.list(model);
    if (this.route !== route) return; // gone elsewhere meanwhile
    if (!model) return ready && /^#\/try\/?$/.test(location.hash) && location.replace(hashOf(ready));
    this.wanted = method;
    if (model === this.loaded) this.choose();
    else await this.load(model);
  }

  hide() {
    document.removeEventListener("paste", this.onpaste);
  }

  /** Fill the list of models; return one that is in memory, or the only one. */
  async list(model) {
    const response = await this.app.request("GET", "models").catch(({ message }) => this.failed("The models are unknown", message));
    const { models = [], devices = [] } = response?.json() ?? {};
    const names = models.filter(({ state }) => state !== "invalid").map(({ identifier }) => identifier);
    if (model && !names.includes(model)) names.push(model);
    replace(this.model, !model && h("option", { value: "" }, "Choose a model"), names.map((name) => h("option", { value: name }, name)));
    this.model.value = model;
    replace(this.device, h("option", { value: "" }, "The model's own"), devices.map(({ device }) => h("option", null, device)));
    return models.find(({ state }) => state === "loaded")?.identifier ?? (names.length === 1 ? names[0] : "");
  }

  failed(title, detail) {
    replace(this.status, errorBox(title, detail));
  }

  async load(model) {
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    this.loaded = null;
    this.card.hidden = true;
    const stop = this.tellLoading(model);
    try {
      const response = await this.app.request("GET", pathOf(model), { signal: loading.signal });
      replace(this.status);
      if (response.status !== 200) return this.failed(...Object.values(problemOf(response)));
      this.description = parse(response.text());
      this.loaded = model;
      this.choose();
    } catch (error) {
      if (error.name !== "AbortError") this.failed("The model was not loaded", error.message);
    } finally {
      stop();
    }
  }

  /** Say for how long the model loads. */
  tellLoading(model) {
    const time = h("span");
    const started = Date.now();
    const timer = setInterval(() => (time.textContent = ` ${Math.round((Date.now() - started) / 1000)} s`), 1000);
    replace(this.status, h("p", { class: "pending", role: "status" }, `Loading ${model}`, time));
    return () => clearInterval(timer);
  }

  /** Show the form of a method. */
  choose() {
    const { methods } = this.description;
    this.name = this.wanted in methods ? this.wanted : Object.keys(methods)[0];
    const method = methods[this.name];
    replace(this.method, Object.keys(methods).map((name) => h("option", null, name)));
    this.method.value = this.name;
    this.form = createRequestForm(method, () => this.changed());
    replace(this.place, method.note && h("p", { class: "warn" }, "No request is known that works: give the tensors the right shapes."), this.form.element);
    this.card.hidden = false;
    this.fill(this.reused ?? method.example);
    this.reused = null;
  }

  fill(document) {
    this.toggled(false);
    this.form.set(document);
  }

  toggled(isJson) {
    this.toggle.ariaPressed = String(isJson);
  }

  reuse({ model, method, inputs }) {
    if (model === this.loaded && method === this.name) return this.fill(inputs);
    this.reused = inputs;
    this.app.go(hashOf(model, method));
  }

  query() {
    const others = { method: this.name === "forward" ? "" : this.name, device: this.device.value };
    return { servable_identifier: this.loaded, ...Object.fromEntries(Object.entries(others).filter(([, value]) => value)) };
  }

  /** Write the programs anew, where they are seen. */
  changed() {
    if (!this.copy.open || !this.form) return;
    const body = this.form.body();
    if (typeof read(body) === "string" || body.length > MOST_CODE) return replace(this.code, h("p", null, "This body is no JSON, or too long to be shown."));
    const programs = snippets({ base, query: this.query(), body, oip: this.name === "forward" && this.description.oip_example, withKey: hasKey() });
    const known = Object.keys(programs).filter((name) => programs[name]);
    const chosen = known.includes(this.language.value) ? this.language.value : known[0];
    replace(this.language, known.map((name) => h("option", null, name)));
    this.language.value = chosen;
    replace(this.code, codeBlock(programs[chosen], `${chosen} program`));
  }

  async send() {
    if (this.sending || this.card.hidden) return;
    this.form.forget();
    this.sending = new AbortController();
    this.busy(true);
    const outcome = await this.answer(this.form.body(), this.sending.signal);
    this.sending = null;
    this.busy(false);
    this.results.show(outcome);
    if (outcome.status >= 400 && outcome.model === this.loaded) this.form.tell(outcome.document?.detail ?? "");
  }

  busy(isBusy) {
    this.sendButton.disabled = isBusy;
    this.cancel.hidden = !isBusy;
    if (!isBusy) return;
    this.results.pending();
    this.results.element.scrollIntoView({ block: "nearest" });
  }

  async answer(body, signal) {
    const inputs = this.inputsOf(read(body));
    const images = Object.entries(inputs).filter(([, value]) => value?.type === "image");
    const pictures = Object.fromEntries(images.map(([name, { value }]) => [name, `data:image/png;base64,${value}`]));
    const outcome = { model: this.loaded, method: this.name, inputs, pictures, sent_bytes: new Blob([body]).size, time: new Date() };
    const headers = { "Content-Type": "application/json", "X-Server-Timing": "1" };
    const started = performance.now();
    try {
      const response = await this.app.request("POST", targetOf(this.query()), { body, headers, signal });
      const { status, ms, bytes } = response;
      const document = status >= 400 ? response.json() : null; // results may be large, and are read from the text
      return { ...outcome, status, headers: response.headers, ms, bytes, text: response.text(), document, problem: "" };
    } catch ({ name, message }) {
      const problem = name === "AbortError" ? "You cancelled it." : message;
      return { ...outcome, status: 0, headers: {}, ms: performance.now() - started, bytes: null, text: "", document: null, problem };
    }
  }

  /** The arguments by name, where the body tells them. */
  inputsOf(document) {
    const names = this.description.methods[this.name].arguments.map(({ name }) => name);
    if (Array.isArray(document)) return Object.fromEntries(document.map((value, index) => [names[index], value]));
    return document !== null && typeof document === "object" ? document : {};
  }
}
