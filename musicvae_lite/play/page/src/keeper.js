import { signature } from "./locks.js";

const RETRY_MS = 1000;

/** Writes what was heard into the folder: each variation once, in turn, and after a lost connection too. */
export class Keeper {
  /**
   * @param {() => import("./model.js").Model} model
   * @param {(kept: {file: string, path: string}, key: string) => void} onKept
   * @param {(error: Error) => void} onError
   */
  constructor({ model, onKept, onError, meter }) {
    Object.assign(this, { model, onKept, onError, meter });
    this.files = new Map(); // what was written, by content
    this.waiting = [];
    this.busy = false;
  }

  static key(piece, qpm) {
    return `${qpm}|${signature(piece)}`;
  }

  /** Write a MIDI file, unless the same one has been. */
  keep(piece, qpm, title, bytes) {
    const key = Keeper.key(piece, qpm);
    if (this.files.has(key) || !piece.notes.length) return;
    this.files.set(key, null);
    this.waiting.push({ key, title, bytes: bytes(), since: performance.now() });
    this.#work();
  }

  async #work() {
    if (this.busy) return;
    this.busy = true;
    while (this.waiting.length) {
      const { key, title, bytes, since } = this.waiting[0];
      try {
        const kept = await this.model().keep(title, bytes);
        this.waiting.shift();
        this.files.set(key, kept);
        this.meter.add("heard to file", performance.now() - since);
        if (kept) this.onKept(kept, key);
      } catch (error) {
        if (!error.offline) {
          this.waiting.shift();
          this.files.delete(key);
        }
        this.onError(error);
        if (error.offline) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.busy = false;
  }
}
