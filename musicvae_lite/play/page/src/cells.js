import { between, moved } from "./latent.js";

const REMEMBERED = 16;

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
      if (this.key === key) this.#use(key, withOriginals(pieces, state));
    } catch (error) {
      if (this.key !== key) return;
      this.key = null;
      this.onError(error);
    }
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
