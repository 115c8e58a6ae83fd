/** The state of the page as one value, with undo. */

const DEPTH = 200;
const MERGE_MS = 900; // moves of one slider that follow each other are one step to undo

export class Store {
  constructor(state) {
    this.state = state;
    this.past = [];
    this.future = [];
    this.listeners = new Set();
    this.last = { label: null, at: 0 };
  }

  subscribe(listener) {
    this.listeners.add(listener);
  }

  /**
   * Change some fields.
   *
   * @param {object} patch
   * @param {?string} label  what an undo takes back; null for what it does not (such as playing on)
   */
  set(patch, label = null) {
    const before = this.state;
    if (label) {
      const now = performance.now();
      const merges = this.last.label === label && now - this.last.at < MERGE_MS;
      if (!merges) this.past.push(before);
      if (this.past.length > DEPTH) this.past.shift();
      this.future = [];
      this.last = { label, at: now };
    }
    this.state = { ...before, ...patch };
    this.#tell(before);
  }

  undo() {
    this.#go(this.past, this.future);
  }

  redo() {
    this.#go(this.future, this.past);
  }

  #go(from, to) {
    if (!from.length) return;
    const before = this.state;
    to.push(before);
    this.state = from.pop();
    this.last = { label: null, at: 0 };
    this.#tell(before);
  }

  /** Forget what was: it belongs to another model. */
  reset(state) {
    const before = this.state;
    this.past = [];
    this.future = [];
    this.state = state;
    this.#tell(before);
  }

  #tell(before) {
    for (const listener of this.listeners) listener(this.state, before);
  }
}
