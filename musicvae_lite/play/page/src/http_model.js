import { ModelError } from "./model.js";

const TOKEN_HEADER = "X-Musae-Token";
const MODEL_HEADER = "X-Musae-Model";
const RETRY_MS = 500;
const LOST = "The connection to musae is lost. The page goes on when it is back.";

/** A model in the Python process that serves the page. */
export class HttpModel {
  /** @param {{token: string, model: string}} setup */
  constructor({ token, model }) {
    this.token = token;
    this.model = model;
  }

  describe() {
    return this.#json("describe");
  }

  ready() {
    return this.#json("ready");
  }

  async corner(index) {
    const response = await this.#send(`corner/${index}`);
    const name = decodeURIComponent(response.headers.get("X-Musae-Name") ?? "corner");
    return { name, bytes: new Uint8Array(await response.arrayBuffer()) };
  }

  encode({ name, bytes }, { parts, bar } = {}) {
    const query = new URLSearchParams({ name });
    if (parts) query.set("parts", parts.join());
    if (bar) query.set("bar", bar);
    return this.#json(`encode?${query}`, { method: "POST", body: bytes });
  }

  async decode(points, options = {}) {
    return (await this.#post("decode", { points, ...options })).pieces;
  }

  async draw(count, seed, options = {}) {
    return (await this.#post("draw", { count, seed, ...options })).points;
  }

  async between(corners, size, seed) {
    return (await this.#post("between", { corners, size, seed })).pieces;
  }

  keep(title, bytes) {
    return this.#json(`keep?${new URLSearchParams({ title })}`, { method: "POST", body: bytes });
  }

  /** Recordings, which only a process with the denoiser can clean; see recordings.js. */
  openRecording(name, bytes) {
    const query = new URLSearchParams({ name });
    return this.#json(`recording?${query}`, { method: "POST", body: bytes });
  }

  clean(id, options) {
    return this.#post(`recording/${id}/clean`, options);
  }

  async sound(id, part) {
    return (await this.#send(`recording/${id}/${part}.wav`)).arrayBuffer();
  }

  saveRecording(id, options) {
    return this.#post(`recording/${id}/save`, options);
  }

  /** Wait until the process answers again. */
  async back() {
    for (;;) {
      try {
        return await this.describe();
      } catch (error) {
        if (!error.offline) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #post(path, tree) {
    const headers = { "Content-Type": "application/json" };
    return this.#json(path, { method: "POST", body: JSON.stringify(tree), headers });
  }

  async #json(path, options) {
    return (await this.#send(path, options)).json();
  }

  async #send(path, options = {}) {
    const own = { [TOKEN_HEADER]: this.token, [MODEL_HEADER]: this.model };
    let response;
    try {
      response = await fetch(`api/${path}`, { ...options, headers: { ...own, ...options.headers } });
    } catch {
      throw new ModelError(LOST, { offline: true });
    }
    if (response.ok) return response;
    let told = {};
    try {
      told = await response.json();
    } catch {
      // A proxy's own page; the status has to do.
    }
    throw new ModelError(told.error ?? `musae answered ${response.status}`, told);
  }
}
