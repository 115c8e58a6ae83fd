import { createCodec } from "./codecs.js";
import { Kernel } from "./kernel.js";
import { readMidi, tempoAt } from "./midi_read.js";
import { ModelError } from "./model.js";
import { Network, readTensors } from "./network.js";

/** A model that runs in the page: what `musae export --web` wrote. See model.js. */
export class WebModel {
  /** @param {{model: string}} setup */
  constructor({ model }) {
    this.model = model;
    this.loading = null;
  }

  async describe() {
    return (await this.#about()).description;
  }

  ready() {
    return (this.loading ??= this.#load());
  }

  async corner(index) {
    const name = (await this.#about()).files[index];
    return { name, bytes: new Uint8Array(await fetched(`corners/${name}`)) };
  }

  async encode({ name, bytes }, { parts, bar } = {}) {
    await this.ready();
    const score = readMidi(bytes, name);
    const { codec } = this;
    let windows = codec.encode(score);
    // The rule on programs gives way where nothing else can be used.
    if (!windows.length) windows = codec.encode(score, null, null);
    if (!windows.length) throw new ModelError(`${name}: holds nothing that ${this.model} can use`);
    const chosen = windows.find((window) =>
      (!parts || window.track === parts[0] - 1) && (!bar || window.bar === bar - 1)) ?? windows[0];
    const [z] = this.network.encode([chosen.values]);
    const { program } = score.tracks[chosen.track];
    const first = chosen.bar + 1;
    const { bars, kind } = this.about.description;
    return {
      name: name.replace(/\.[^.]*$/, ""),
      piece: this.#piece(chosen.values, Array.from(z), program),
      place: `${label(score, chosen.track)}, bars ${first}-${first + bars - 1}`,
      choices: choices(score, windows),
      parts: [chosen.track + 1],
      bar: first,
      qpm: tempoAt(score, chosen.tick),
      hits: kind === "groove" ? hitsOf(chosen.values) : null,
    };
  }

  async decode(points, { temperature = 0, seed = 0, hits = null, program = 0 } = {}) {
    await this.ready();
    const known = hits && this.about.description.kind === "groove" ? hits.flatMap((row) => [...row, ...new Array(18).fill(NaN)]) : null;
    const windows = this.network.decode(points, temperature, uniforms(seed), known);
    return windows.map((window, row) => this.#piece(Array.from(window), points[row], program));
  }

  async draw(count, seed) {
    const size = (await this.#about()).description.latentSize;
    const random = uniforms(seed);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Array.from({ length: count }, () => Array.from({ length: size }, normal));
  }

  async keep() {
    return null; // there is no disk; the page offers a download
  }

  async #about() {
    return (this.about ??= JSON.parse(new TextDecoder().decode(await fetched("model.json"))));
  }

  async #load() {
    const [about, kernel, weights] = await Promise.all([
      this.#about(), fetched("kernel.wasm").then((bytes) => Kernel.load(bytes)), fetched("model.safetensors"),
    ]);
    this.codec = createCodec(about);
    this.network = new Network(kernel, about, readTensors(weights, kernel));
  }

  #piece(window, z, program) {
    const { stepsPerQuarter, kind } = this.about.description;
    const drum = kind !== "melody";
    const notes = this.codec.decode(window).map((note) => ({
      ...note, start: note.start / stepsPerQuarter, end: note.end / stepsPerQuarter,
    }));
    notes.sort((a, b) => a.start - b.start || a.pitch - b.pitch);
    const tracks = [{ name: kind === "melody" ? "melody" : "drums", program: drum ? 0 : program, drum }];
    return { tracks, notes, chords: [], z: Array.from(z) };
  }
}

async function fetched(name) {
  let response;
  try {
    response = await fetch(name);
  } catch {
    throw new ModelError(`${name} cannot be read; open the page through a web server, such as python -m http.server`);
  }
  if (!response.ok) throw new ModelError(`${name} is missing; copy the whole folder`);
  return response.arrayBuffer();
}

function label(score, track) {
  const { name } = score.tracks[track];
  return `track ${track + 1}${name ? ` (${name})` : ""}`;
}

function choices(score, windows) {
  const found = new Map();
  for (const { track, bar } of windows) {
    const own = found.get(track) ?? { parts: [track + 1], label: label(score, track), bars: [] };
    own.bars.push(bar + 1);
    found.set(track, own);
  }
  return [...found.values()];
}

function hitsOf(values) {
  return Array.from({ length: values.length / 27 }, (_, step) => values.slice(step * 27, step * 27 + 9));
}

/** Random numbers in [0, 1) from a seed (mulberry32, public domain). */
function uniforms(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
