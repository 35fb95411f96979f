/** The view in which a model is tried: its form, the request as a program, and the answer. */
import { demand, load, parsed, pathOf, request, targetOf } from "./api.js";
import { button, field, h, options, plain, replace, row, write } from "./dom.js";
import { errorBox } from "./parts.js";
import { createRequestForm } from "./request-form.js";
import { isObject, parse, read } from "./values.js";

const NOT_KNOWN = "No request is known that works: give the tensors the right shapes.";
const OWN = "The model's own"; // device
const hashOf = (model, method) => `#/try/${encodeURIComponent(model)}${method ? `?method=${encodeURIComponent(method)}` : ""}`;
const go = (...place) => (location.hash = hashOf(...place));

export const create = () => new Try();

class Try {
  constructor() {
    this.model = h("select", { onchange: () => go(this.model.value) });
    this.method = h("select", { onchange: () => go(this.loaded, this.method.value) });
    this.device = h("select", { onchange: () => this.changed() });
    this.sendButton = h("button", { class: "primary", title: "Ctrl+Enter" }, "Send");
    this.cancel = button("Cancel", () => this.sending.abort(), { hidden: true });
    this.json = button("Edit JSON", () => (this.json.ariaPressed = String(this.form.toggle())), { ariaPressed: "false" });
    const reset = plain("Reset", () => this.fill(this.description.methods[this.name].example));
    this.place = h("div");
    this.code = h("div");
    this.copy = h("details", { ontoggle: () => this.changed() }, h("summary", null, "Copy as a program"), this.code);
    const onsubmit = (event) => {
      event.preventDefault();
      this.send();
    };
    this.card = h("form", { class: "card", hidden: true, onsubmit }, this.place, row(this.sendButton, this.cancel, this.json, reset), this.copy);
    this.status = h("div");
    this.answer = h("div");
    const choose = h("div", { class: "row choose" }, field("Model", this.model), field("Method", this.method), field("Device", this.device));
    const columns = h("div", { class: "grid" }, h("div", null, this.status, this.card), this.answer);
    this.element = h("section", { class: "try", ...this.listeners() }, h("h1", null, "Try"), choose, columns);
  }

  listeners() {
    const take = (event, { files: [file] }) => {
      if (!file || this.card.hidden) return;
      event.preventDefault();
      this.form.accept(file, event.target);
    };
    this.onpaste = (event) => take(event, event.clipboardData);
    return {
      onkeydown: ({ key, ctrlKey, metaKey, target }) => {
        if (key !== "Enter" || !(ctrlKey || metaKey)) return;
        target.blur(); // an input tells its change
        target.focus();
        this.send();
      },
      ondragover: (event) => event.preventDefault(),
      ondrop: (event) => take(event, event.dataTransfer),
    };
  }

  async show(route) {
    document.onpaste = this.onpaste;
    this.route = route;
    const { model, method } = route;
    const known = await demand("GET", "models").then(parsed, (error) => this.route === route && this.fail("The models are unknown", error));
    if (this.route !== route) return; // gone elsewhere meanwhile
    const ready = this.list(known || {}, model);
    const next = this.loaded ?? ready;
    if (!model) return next && /^#\/try\/?$/.test(location.hash) && location.replace(hashOf(next, this.loaded && this.name));
    this.wanted = method;
    if (model !== this.loaded) return this.load(model);
    replace(this.status);
    if (this.reused || (method || Object.keys(this.description.methods)[0]) !== this.name) this.choose();
  }

  hide() {
    document.onpaste = null;
  }

  fail(title, { name, message }) {
    if (name !== "AbortError") replace(this.status, errorBox(title, message), button("Try again", () => this.show(this.route)));
  }

  /** Fill the list of models; return one that is in memory, or the only one. */
  list({ models = [], devices = [] }, model) {
    const names = models.filter(({ state }) => state !== "invalid").map(({ identifier }) => identifier);
    if (model && !names.includes(model)) names.push(model);
    replace(this.model, !model && h("option", { value: "" }, "Choose a model"), options(names));
    this.model.value = model;
    replace(this.device, options([OWN, ...devices.filter(({ up }) => up !== false).map(({ device }) => device)]));
    return models.find(({ state }) => state === "loaded")?.identifier ?? (names.length === 1 ? names[0] : "");
  }

  async load(model) {
    this.loading?.abort();
    this.loading = new AbortController();
    this.loaded = null;
    this.card.hidden = true;
    const started = Date.now();
    const time = h("span");
    const timer = setInterval(() => write(time, ` ${Math.round((Date.now() - started) / 1000)} s`), 1000);
    replace(this.status, h("p", { class: "pending", role: "status" }, `Loading ${model}`, time));
    try {
      this.description = parse(await demand("GET", pathOf(model), { signal: this.loading.signal }));
      this.loaded = model;
      this.choose();
    } catch (error) {
      this.fail("The model was not loaded", error);
    } finally {
      clearInterval(timer);
    }
  }

  /** Show the form of a method. */
  choose() {
    replace(this.status);
    const { methods } = this.description;
    const names = Object.keys(methods);
    this.name = names.includes(this.wanted) ? this.wanted : names[0];
    const method = methods[this.name];
    replace(this.method, options(names));
    this.method.value = this.name;
    this.form = createRequestForm(method, () => this.changed());
    replace(this.place, method.note && h("p", { class: "warn" }, NOT_KNOWN), this.form.element);
    this.card.hidden = false;
    if (!this.results) replace(this.answer, h("p", { class: "quiet" }, "The answer will be here."));
    const { reused } = this;
    this.fill(reused?.model === this.loaded && reused.method === this.name ? reused.inputs : method.example);
    this.reused = null;
  }

  fill(document) {
    this.json.ariaPressed = "false";
    this.form.set(document);
  }

  reuse(outcome) {
    const { model, method, inputs } = outcome;
    if (model === this.loaded && method === this.name) return this.fill(inputs);
    this.reused = outcome;
    go(model, method);
  }

  query() {
    const method = this.name !== "forward" && { method: this.name };
    return { servable_identifier: this.loaded, ...method, ...(this.device.value !== OWN && { device: this.device.value }) };
  }

  /** Write the programs anew, where they are seen. */
  async changed() {
    if (!this.copy.open) return;
    try {
      this.programs ??= (await load("snippets")).createPrograms();
      if (!this.code.contains(this.programs.element)) replace(this.code, this.programs.element);
      this.programs.update({ query: this.query(), body: this.form.body(), oip: this.name === "forward" && this.description.oip_example });
    } catch ({ message }) {
      replace(this.code, errorBox(message));
    }
  }

  async send() {
    if (this.sending || this.card.hidden) return;
    const { form } = this;
    form.forget();
    this.busy(new AbortController());
    this.answer.scrollIntoView({ block: "nearest" });
    try {
      await Promise.race([form.ready(), new Promise((stop) => (this.sending.signal.onabort = stop))]);
      if (form !== this.form || !this.loaded) throw new Error("Another form is shown now.");
      const [results, outcome] = await Promise.all([this.pending(), this.ask(form.body(), this.sending.signal)]);
      results.show(outcome);
      if (outcome.status >= 400 && form === this.form) form.tell(String(parsed(outcome.text)?.detail ?? ""));
    } catch ({ message }) {
      this.sending.abort();
      replace(this.answer, errorBox(message));
    }
    this.busy(null);
  }

  busy(sending) {
    this.sending = sending;
    this.sendButton.disabled = sending;
    this.cancel.hidden = !sending;
  }

  /** The place of answers, which is loaded with the first of them. */
  async pending() {
    this.results ??= (await load("result", "render")).createResults({ onReuse: (outcome) => this.reuse(outcome) });
    if (!this.answer.contains(this.results.element)) replace(this.answer, this.results.element);
    this.results.pending();
    return this.results;
  }

  /** What comes of a request, also where nothing comes. */
  async ask(body, signal) {
    const sent = { model: this.loaded, method: this.name, inputs: this.inputsOf(read(body)), sent_bytes: body.length, time: new Date() };
    const headers = { "Content-Type": "application/json", "X-Server-Timing": "1" };
    const started = performance.now();
    try {
      const response = await request("POST", targetOf(this.query()), { body, headers, signal });
      return { ...sent, ...response, text: response.text() };
    } catch ({ name, message }) {
      const problem = name === "AbortError" ? "You cancelled it." : message;
      return { ...sent, status: 0, headers: {}, ms: performance.now() - started, text: "", problem };
    }
  }

  /** The arguments by name, where the body tells them. */
  inputsOf(document) {
    const names = this.description.methods[this.name].arguments.map(({ name }) => name);
    if (Array.isArray(document)) return Object.fromEntries(document.map((value, index) => [names[index], value]));
    return isObject(document) ? document : {};
  }
}
