/**
 * A model of music computed in the browser: `musicvae_lite/music/portable/model.py` in JavaScript.
 *
 * Letters in shapes: B windows, T steps, S segments, L steps of a segment, N = B * S rows.
 */
import { columns } from "./kernel.js";

/** Read a safetensors file: {name: {shape, data}}, float16 widened. */
export function readTensors(buffer, kernel) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = new Map();
  delete header.__metadata__;
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(header)) {
    const bytes = buffer.slice(8 + length + begin, 8 + length + end);
    const data = dtype === "F16" ? kernel.widen(new Uint16Array(bytes)) : new Float32Array(bytes);
    tensors.set(name, { shape, data });
  }
  return tensors;
}

class Weights {
  constructor(tensors, kernel, prefix = "") {
    Object.assign(this, { tensors, kernel, prefix });
  }

  of(part) {
    return new Weights(this.tensors, this.kernel, `${this.prefix}${part}.`);
  }

  has(name) {
    return this.tensors.has(this.prefix + name);
  }

  get(name) {
    const found = this.tensors.get(this.prefix + name);
    if (!found) throw new Error(`the model's weights lack ${this.prefix}${name}`);
    return found;
  }

  each(part) {
    const begin = `${this.prefix}${part}.`;
    const names = [...this.tensors.keys()].filter((name) => name.startsWith(begin));
    const numbers = new Set(names.map((name) => Number(name.slice(begin.length).split(".")[0])));
    return [...numbers].sort((a, b) => a - b).map((number) => this.of(`${part}.${number}`));
  }

  /** A matrix in the kernel's memory. */
  matrix(name) {
    const { shape, data } = this.get(name);
    return { at: this.kernel.put(data), out: shape[0], in: shape[1], stride: shape[1] };
  }
}

/** A map of rows; with weights [G, O, D] one for each of G groups of a row. */
class Linear {
  constructor(weights) {
    this.kernel = weights.kernel;
    const { shape, data } = weights.get("weight");
    this.bias = weights.get("bias").data;
    this.groups = shape.length === 3 ? shape[0] : 0;
    if (!this.groups) {
      this.matrix = weights.matrix("weight");
      return;
    }
    const [groups, out, inside] = shape;
    this.matrices = Array.from({ length: groups }, (_, group) => {
      const own = data.subarray(group * out * inside, (group + 1) * out * inside);
      return { at: this.kernel.put(own), out, in: inside, stride: inside };
    });
  }

  run(x) {
    if (!this.groups) return this.kernel.times(this.matrix, x, this.bias);
    const { groups, matrices } = this;
    const [{ out, in: inside }] = matrices;
    const rows = x.length / (groups * inside);
    const made = new Float32Array(rows * groups * out);
    matrices.forEach((matrix, group) => {
      const bias = this.bias.subarray(group * out, (group + 1) * out);
      for (let row = 0; row < rows; row++) {
        const at = row * groups + group;
        made.set(this.kernel.times(matrix, x.subarray(at * inside, (at + 1) * inside), bias), at * out);
      }
    });
    return made;
  }
}

/** One direction of a layer. */
class Cell {
  constructor(weights, suffix = "_l0") {
    this.kernel = weights.kernel;
    this.inputs = weights.matrix(`weight_ih${suffix}`);
    this.recurrent = weights.matrix(`weight_hh${suffix}`);
    this.size = this.recurrent.in;
    const other = weights.get(`bias_hh${suffix}`).data;
    this.bias = weights.get(`bias_ih${suffix}`).data.map((value, i) => value + other[i]);
  }

  /** Advance states {h, c}, arrays [rows, size], by a step; `gates` [rows, 4 size] is used up. */
  step(gates, state) {
    const { kernel, size } = this;
    const rows = state.h.length / size;
    kernel.scratch(() => {
      const [g, h, c] = [kernel.put(gates), kernel.put(state.h), kernel.put(state.c)];
      kernel.exports.step(this.recurrent.at, g, h, c, size, rows);
      state.h.set(kernel.at(h, rows * size));
      state.c.set(kernel.at(c, rows * size));
    });
  }

  /** Outputs [N, T, H] of x [N, T, D], and the last h [N, H]. */
  run(x, steps, backward = false, state = null) {
    const rows = x.length / steps / this.inputs.in;
    const every = this.kernel.times(this.inputs, x, this.bias);
    const wide = 4 * this.size;
    const own = state ?? {
      h: new Float32Array(rows * this.size), c: new Float32Array(rows * this.size),
    };
    const outputs = new Float32Array(rows * steps * this.size);
    const gates = new Float32Array(rows * wide);
    for (let number = 0; number < steps; number++) {
      const t = backward ? steps - 1 - number : number;
      for (let row = 0; row < rows; row++) {
        const at = (row * steps + t) * wide;
        gates.set(every.subarray(at, at + wide), row * wide);
      }
      this.step(gates, own);
      for (let row = 0; row < rows; row++) {
        const hidden = own.h.subarray(row * this.size, (row + 1) * this.size);
        outputs.set(hidden, (row * steps + t) * this.size);
      }
    }
    return { outputs, last: own.h };
  }
}

class Stack {
  constructor(weights) {
    this.layers = weights.each("layers").map((layer) => [
      new Cell(layer), ...(layer.has("weight_ih_l0_reverse") ? [new Cell(layer, "_l0_reverse")] : []),
    ]);
  }

  run(x, steps, states = null) {
    let [inside, last] = [x, null];
    this.layers.forEach((cells, number) => {
      const made = cells.map((cell, back) => cell.run(inside, steps, back > 0, states?.[number]));
      inside = beside(made.map(({ outputs }) => outputs), made.map(() => cells[0].size));
      last = beside(made.map(({ last: own }) => own), made.map(() => cells[0].size));
    });
    return { outputs: inside, last };
  }
}

/** Rows of several arrays side by side. */
function beside(arrays, widths) {
  if (arrays.length === 1) return arrays[0];
  const width = widths.reduce((sum, own) => sum + own, 0);
  const rows = arrays[0].length / widths[0];
  const joined = new Float32Array(rows * width);
  let place = 0;
  arrays.forEach((array, part) => {
    const own = widths[part];
    for (let row = 0; row < rows; row++) {
      joined.set(array.subarray(row * own, (row + 1) * own), row * width + place);
    }
    place += own;
  });
  return joined;
}

/** Vectors of events [rows] (classes) or [rows, K] (numbers). */
class Tokens {
  constructor(weights, learned) {
    this.table = learned ? weights.get("tokens.embedding.weight") : null;
  }

  run(events) {
    if (!this.table) return Float32Array.from(events);
    const width = this.table.shape[1];
    const made = new Float32Array(events.length * width);
    events.forEach((own, row) => {
      made.set(this.table.data.subarray(own * width, (own + 1) * width), row * width);
    });
    return made;
  }
}

class Levels {
  constructor(settings, steps, weights) {
    const tall = settings.kind === "hierarchical";
    this.tokens = new Tokens(weights, settings.token_size !== null);
    this.lengths = tall ? settings.levels : [steps];
    this.skip = tall && settings.skip;
    this.stacks = (tall ? weights.each("levels") : [weights.of("stack")]).map((own) => new Stack(own));
    const maps = tall ? weights.each("projects") : [weights.of("project")];
    this.projects = maps.filter((own) => own.has("weight")).map((own) => new Linear(own));
  }

  run(events) {
    let x = this.tokens.run(events);
    this.stacks.forEach((stack, level) => {
      const steps = this.lengths[level];
      const { outputs, last } = stack.run(x, steps);
      if (!this.projects.length) {
        x = last;
        return;
      }
      const size = stack.layers.at(-1).length * stack.layers.at(-1)[0].size;
      const rows = outputs.length / size;
      const seen = this.skip && level ? beside([outputs, x], [size, x.length / rows]) : outputs;
      x = this.projects[level].run(seen);
    });
    return x;
  }
}

/** The orthonormal cosine transform [waves, places]. */
function cosines(size) {
  return Array.from({ length: size }, (_, wave) => {
    const row = Array.from({ length: size }, (_, place) => Math.cos((Math.PI * (place + 0.5) * wave) / size));
    const length = Math.hypot(...row);
    return Float32Array.from(row, (value) => value / length);
  });
}

class Core {
  constructor(settings, weights, how, classes) {
    this.kernel = weights.kernel;
    this.steps = how.steps;
    this.cells = new Stack(weights.of("stack")).layers.map(([cell]) => cell);
    this.opening = new Linear(weights.of("start"));
    this.output = new Linear(weights.of("output"));
    this.latent = settings.latent_input;
    this.plan = weights.has("plan.weight") ? new Linear(weights.of("plan")) : null;
    this.position = weights.has("position") ? weights.get("position") : null;
    const [first] = this.cells;
    const table = classes ? weights.get("tokens.embedding.weight") : null;
    this.event = classes ? table.shape[1] : how.nothing.length;
    const onEvent = columns(first.inputs, 0, this.event);
    // What each class adds to the gates is looked up.
    this.gates = classes ? this.kernel.times(onEvent, table.data) : null;
    this.onEvent = onEvent;
  }

  /** What no event changes: gates of every step [N, L, 4 H], and the states of the layers. */
  start(rows, width) {
    const [{ inputs, bias }] = this.cells;
    const count = rows.length / width;
    const wide = inputs.out;
    const first = this.event + (this.latent ? width : 0);
    const same = this.latent
      ? this.kernel.times(columns(inputs, this.event, first), rows, bias)
      : Float32Array.from({ length: count * wide }, (_, i) => bias[i % wide]);
    const parts = [];
    const widths = [];
    if (this.plan) {
      const plan = this.plan.run(rows);
      parts.push(plan);
      widths.push(plan.length / count / this.steps);
    }
    if (this.position) {
      const { data } = this.position;
      const repeated = new Float32Array(count * data.length);
      for (let row = 0; row < count; row++) repeated.set(data, row * data.length);
      parts.push(repeated);
      widths.push(this.position.shape[1]);
    }
    let given = new Float32Array(count * this.steps * wide);
    if (parts.length) given = this.kernel.times(columns(inputs, first, inputs.in), beside(parts, widths));
    for (let row = 0; row < count * this.steps; row++) {
      const from = Math.floor(row / this.steps) * wide;
      for (let i = 0; i < wide; i++) given[row * wide + i] += same[from + i];
    }
    return { given, states: states(this.opening.run(rows), this.cells.map(({ size }) => size)) };
  }

  /** Outputs [N, V] after an event, classes [N] or numbers [N, K], at step t. */
  step(begun, event, t) {
    const [{ inputs }] = this.cells;
    const wide = inputs.out;
    const count = begun.given.length / this.steps / wide;
    let gates = this.gates ? new Float32Array(count * wide) : this.kernel.times(this.onEvent, event);
    for (let row = 0; row < count; row++) {
      const at = (row * this.steps + t) * wide;
      const from = this.gates ? event[row] * wide : 0;
      for (let i = 0; i < wide; i++) {
        gates[row * wide + i] += begun.given[at + i] + (this.gates ? this.gates[from + i] : 0);
      }
    }
    this.cells.forEach((cell, number) => {
      if (number) gates = this.kernel.times(cell.inputs, begun.states[number - 1].h, cell.bias);
      cell.step(gates, begun.states[number]);
    });
    return this.output.run(begun.states.at(-1).h);
  }
}

/** (h, c) of each layer of rows that hold tanh of c, h of layer 0, then of layer 1 and so on. */
function states(flat, sizes) {
  const width = 2 * sizes.reduce((sum, size) => sum + size, 0);
  const rows = flat.length / width;
  let place = 0;
  const take = (size) => {
    const part = new Float32Array(rows * size);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < size; i++) part[row * size + i] = Math.tanh(flat[row * width + place + i]);
    }
    place += size;
    return part;
  };
  return sizes.map((size) => {
    const c = take(size);
    return { h: take(size), c };
  });
}

export class Network {
  /**
   * @param kernel   a Kernel
   * @param about    what `musae export --web` wrote of the model: {model, decoding, window}
   * @param tensors  what readTensors gave
   */
  constructor(kernel, about, tensors) {
    const { model, decoding } = about;
    const weights = new Weights(tensors, kernel);
    const encoder = weights.of("encoder");
    const decoder = weights.of("decoder");
    this.how = decoding;
    this.latentSize = model.latent_size;
    this.steps = about.window.shape[0];
    this.split = model.encoder.split;
    const parts = this.split ? encoder.each("parts") : [encoder];
    this.encoders = parts.map((part) => new Levels(model.encoder, this.steps, part));
    [this.mean, this.scale] = ["mean", "scale"].map((name) => new Linear(weights.of(`head.${name}`)));
    const tall = model.decoder.kind === "hierarchical";
    const core = tall ? decoder.of("core") : decoder;
    if (tall) {
      this.conductor = new Stack(decoder.of("conductor"));
      this.opening = new Linear(decoder.of("start"));
      this.skip = model.decoder.skip;
      const spectral = decoder.has("plan.maps.weight");
      const planned = spectral || decoder.has("plan.weight");
      this.plan = planned ? new Linear(decoder.of(spectral ? "plan.maps" : "plan")) : null;
    }
    const cores = decoding.split ? core.each("cores") : [core];
    const classes = decoding.likelihood === "categorical";
    this.cores = cores.map((own) => new Core(model.decoder, own, decoding, classes));
  }

  /** Means [B, Z] of the posterior of windows, arrays of T * K numbers each. */
  encode(windows) {
    const voices = this.encoders.length;
    const made = this.encoders.map((part, voice) => {
      const own = windows.map((window) =>
        this.split ? window.filter((_, i) => i % voices === voice) : window);
      return part.run(own.flatMap((window) => Array.from(window)));
    });
    const width = made[0].length / windows.length;
    const read = beside(made, made.map(() => width));
    const means = this.mean.run(this.mean.groups ? waves(read, windows.length, voices, this.mean.groups) : read);
    return windows.map((_, row) => means.slice(row * this.latentSize, (row + 1) * this.latentSize));
  }

  /**
   * What points decode to: windows of T * K numbers.
   * @param points      arrays of Z numbers
   * @param temperature 0 takes the likeliest events
   * @param random      gives numbers in [0, 1), for a temperature above 0
   * @param known       of grooves: the numbers that are given, NaN for the others
   */
  decode(points, temperature = 0, random = Math.random, known = null) {
    const z = Float32Array.from(points.flatMap((point) => Array.from(point)));
    const rows = this.conductor ? this.#conducted(z, points.length) : z;
    const count = points.length * this.how.segments;
    const width = rows.length / count;
    const voices = this.cores.map((core, voice) => {
      const begun = core.start(rows, width);
      return this.#voice(core, begun, count, voice, temperature, random, known);
    });
    const each = this.how.nothing.length;
    const size = this.how.segments * this.how.steps * each;
    return points.map((_, row) => {
      if (voices.length === 1) return voices[0].slice(row * size, (row + 1) * size);
      const window = new Float32Array(size);
      voices.forEach((own, voice) => {
        for (let i = 0; i < size / each; i++) window[i * each + voice] = own[(row * size) / each + i];
      });
      return window;
    });
  }

  /** Decode all rows of one voice: [N, L, K]. */
  #voice(core, begun, count, voice, temperature, random, known) {
    const { how } = this;
    const classes = how.likelihood === "categorical";
    const numbers = classes ? 1 : how.nothing.length;
    const start = classes ? how.nothing[voice] : 0;
    const events = new Float32Array(count * how.steps * numbers);
    let event = classes ? new Array(count).fill(start) : new Float32Array(count * numbers);
    for (let t = 0; t < how.steps; t++) {
      const outputs = core.step(begun, event, t);
      event = classes
        ? chosen(outputs, count, temperature, random)
        : this.#groove(outputs, count, t, temperature, random, known);
      for (let row = 0; row < count; row++) {
        for (let i = 0; i < numbers; i++) {
          events[(row * how.steps + t) * numbers + i] = event[row * numbers + i];
        }
      }
    }
    return events;
  }

  #groove(outputs, count, t, temperature, random, known) {
    const { how } = this;
    const drums = how.sizes[0];
    const step = new Float32Array(count * 3 * drums);
    for (let row = 0; row < count; row++) {
      for (let drum = 0; drum < drums; drum++) {
        const at = row * 3 * drums + drum;
        const logit = outputs[at];
        let hit = temperature > 0 ? random() < 1 / (1 + Math.exp(-logit / temperature)) : logit > 0;
        const given = known ? known[(t * 3) * drums + drum] : NaN;
        if (!Number.isNaN(given)) hit = given > 0;
        step[at] = Number(hit);
        const heard = Number(hit || !how.hits_only);
        step[at + drums] = heard / (1 + Math.exp(-outputs[at + drums]));
        step[at + 2 * drums] = heard * Math.tanh(outputs[at + 2 * drums]);
      }
    }
    return step;
  }

  /** The vector of each segment [N, D]. */
  #conducted(z, count) {
    const { segments } = this.how;
    let inputs = new Float32Array(count * segments);
    if (this.plan) {
      inputs = this.plan.run(z);
      if (this.plan.groups) inputs = placed(inputs, count, segments);
    }
    const width = inputs.length / count / segments;
    const sizes = this.conductor.layers.map(([cell]) => cell.size);
    const { outputs } = this.conductor.run(inputs, segments, states(this.opening.run(z), sizes));
    return this.skip ? beside([outputs, inputs], [sizes.at(-1), width]) : outputs;
  }
}

/** The classes [rows] that are likeliest, or are drawn. */
function chosen(outputs, rows, temperature, random) {
  const size = outputs.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    let [best, at] = [-Infinity, 0];
    for (let i = 0; i < size; i++) {
      let value = outputs[row * size + i];
      if (temperature > 0) value = value / temperature - Math.log(-Math.log(Math.max(random(), 1e-20)));
      if (value > best) [best, at] = [value, i];
    }
    return at;
  });
}

/** Read segments [B, V, S, K] as waves [B, S, V * K]. */
function waves(read, count, voices, segments) {
  const table = cosines(segments);
  const size = read.length / count / voices / segments;
  const made = new Float32Array(read.length);
  for (let row = 0; row < count; row++) {
    for (let wave = 0; wave < segments; wave++) {
      for (let voice = 0; voice < voices; voice++) {
        for (let place = 0; place < segments; place++) {
          const weight = table[wave][place];
          const from = ((row * voices + voice) * segments + place) * size;
          const to = ((row * segments + wave) * voices + voice) * size;
          for (let i = 0; i < size; i++) made[to + i] += weight * read[from + i];
        }
      }
    }
  }
  return made;
}

/** Waves [B, S, D] as places [B, S, D]. */
function placed(spectrum, count, segments) {
  const table = cosines(segments);
  const size = spectrum.length / count / segments;
  const made = new Float32Array(spectrum.length);
  for (let row = 0; row < count; row++) {
    for (let wave = 0; wave < segments; wave++) {
      for (let place = 0; place < segments; place++) {
        const weight = table[wave][place];
        const [from, to] = [(row * segments + wave) * size, (row * segments + place) * size];
        for (let i = 0; i < size; i++) made[to + i] += weight * spectrum[from + i];
      }
    }
  }
  return made;
}
