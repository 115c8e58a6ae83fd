import { between, moved } from "./latent.js";

const REMEMBERED = 16;
const CALM_MS = 350; // without a change, before tiles are made better

/** The tiles of the pad: what all its points decode to, as long as nothing they depend on changes. */
export class Cells {
  constructor({ onReady, onError, meter }) {
    Object.assign(this, { onReady, onError, meter });
    this.known = new Map();
    this.pieces = [];
    this.key = null;
  }

  /** Forget the tiles: they are another model's. */
  clear() {
    this.pieces = [];
    this.key = null;
  }

  /**
   * Decode the pad that a state asks for; earlier tiles stay until it is there.
   *
   * @param {import("./model.js").Model} model
   * @param {object} state
   * @param {import("./model.js").Description} about
   */
  async update(model, state, about) {
    const key = cellsKey(state, about);
    if (key === this.key) return;
    this.key = key;
    if (this.known.has(key)) return this.#use(key, this.known.get(key));
    const began = performance.now();
    const corners = state.corners.map(({ piece }) => piece.z);
    const points = between(corners, state.size).map((z) => moved(z, about.attributes, state.amounts));
    try {
      const pieces = await model.decode(points, decodeOptions(state));
      this.meter.add("grid", performance.now() - began);
      if (this.key !== key) return;
      this.#use(key, withOriginals(pieces, state));
      await this.#improve(key, model, state, about);
    } catch (error) {
      if (this.key !== key) return;
      this.key = null;
      this.onError(error);
    }
  }

  /** Put better tiles in place of the first ones, where the model can make some. */
  async #improve(key, model, state, about) {
    if (!about.between || !isPlain(state)) return;
    await new Promise((resolve) => setTimeout(resolve, CALM_MS));
    if (this.key !== key) return;
    const began = performance.now();
    const ids = state.corners.map(({ id }) => id);
    // The first tiles stay where this fails: they are all right.
    const pieces = await model.between(ids, state.size, state.seed).catch(() => null);
    if (!pieces || this.key !== key) return;
    this.meter.add("better tiles", performance.now() - began);
    this.#use(key, withOriginals(pieces.map((piece) => withProgram(piece, state)), state));
  }

  #use(key, pieces) {
    this.known.delete(key);
    this.known.set(key, pieces);
    if (this.known.size > REMEMBERED) this.known.delete(this.known.keys().next().value);
    this.pieces = pieces;
    this.onReady(pieces);
  }
}

/** How a state wants points decoded. */
export function decodeOptions(state) {
  return {
    temperature: state.temperature,
    seed: state.seed,
    chords: state.chords || undefined,
    hits: state.keepHits ? state.corners[0]?.hits : undefined,
    program: state.program ?? state.corners[0]?.piece.tracks[0]?.program ?? 0,
  };
}

/** The cell that each corner is. */
export function cornerCells(corners, size) {
  return corners === 2 ? [0, size - 1] : [0, size - 1, size * (size - 1), size * size - 1];
}

function cellsKey(state, about) {
  const { size, amounts, corners } = state;
  const names = corners.map(({ id }) => id);
  return JSON.stringify([about.name, names, size, amounts, decodeOptions(state)]);
}

/** Whether nothing but the corners says what the tiles are. */
function isPlain(state) {
  const { amounts, temperature, chords, keepHits, corners } = state;
  return !Object.values(amounts).some(Boolean) && !temperature && !chords && !keepHits && corners.every(({ file }) => file);
}

/** A piece played by the instrument of a state. */
function withProgram(piece, state) {
  const { program } = decodeOptions(state);
  const tracks = piece.tracks.map((track) => (track.drum ? track : { ...track, program }));
  return piece.tracks.length === 1 ? { ...piece, tracks } : piece;
}

/** Nobody wants another tune in place of their own: the corners are what was dropped there. */
function withOriginals(pieces, state) {
  const changed = Object.values(state.amounts).some(Boolean) || state.keepHits;
  if (changed) return pieces;
  const result = [...pieces];
  const program = state.program;
  cornerCells(state.corners.length, state.size).forEach((cell, i) => {
    const { piece } = state.corners[i];
    const tracks = piece.tracks.map((track) =>
      program === null || track.drum ? track : { ...track, program },
    );
    result[cell] = { ...piece, tracks };
  });
  return result;
}
