/**
 * Notes on the audio clock, some time ahead of it.
 *
 * The loop is cut into sixteenths. For each one that begins within the look-ahead the source is
 * asked what sounds there, so that another variation can take over at any sixteenth (or bar)
 * without a gap. What sounds on and what the new one does not hold is ended at the change.
 */

const LOOK_AHEAD_SECONDS = [0.09, 0.8]; // as short as the machine allows: a change is heard sooner
const START_SECONDS = 0.15; // from play to the first note
const FORGET = 0.9995; // of the longest gap between two ticks, each time: half in 35 s
export const STEP = 0.25; // quarters
const TINY = 1e-6;

/**
 * @typedef {object} Output
 * @property {(note: object, piece: object, time: number) => void} on
 * @property {(held: object, time: number) => void} off
 * @property {(beat: number, time: number) => void} click
 */

export class Scheduler {
  /**
   * @param {object} options
   * @param {() => number} options.now        the audio clock in seconds
   * @param {(step: number) => ?{piece: object, quarters: number, at: number}} options.source
   *   what sounds from sixteenth `step` of the transport on: a piece, its length, and where in it
   *   that is (quarters)
   * @param {Output} options.output
   * @param {(step: number, time: number) => void} [options.onStep]
   */
  constructor({ now, source, output, onStep = () => {} }) {
    Object.assign(this, { now, source, output, onStep });
    this.qpm = 120;
    this.playing = false;
    this.metronome = false;
    this.quartersPerBar = 4;
    this.beat = 1; // quarters
    this.stats = { events: 0, worstSeconds: 0, late: 0 };
    this.held = new Map();
    this.gap = 0.06; // the longest time between two ticks of late, in seconds
  }

  /** Start at the beginning of the loop. */
  start() {
    this.playing = true;
    this.step = 0;
    this.time = this.now() + START_SECONDS;
    this.piece = null;
    this.ticked = undefined;
    this.advance();
  }

  /** How far ahead of the clock notes are sent, in seconds: further where the page is busy. */
  get lookAhead() {
    const [least, most] = LOOK_AHEAD_SECONDS;
    return Math.min(Math.max(this.gap * 2 + 0.03, least), most);
  }

  stop() {
    this.playing = false;
    this.#endAll(this.now());
  }

  /** Schedule what begins soon; to be called often (every 25 ms). */
  advance() {
    if (!this.playing) return;
    const now = this.now();
    this.gap = Math.max(this.gap * FORGET, Math.min(now - (this.ticked ?? now), 1));
    this.ticked = now;
    if (this.time < now - 0.5) this.time = now; // the machine slept; go on, do not catch up
    while (this.playing && this.time < now + this.lookAhead) {
      this.#schedule(this.step, this.time);
      this.step += 1;
      this.time += STEP * this.#secondsPerQuarter();
    }
  }

  /** Where the loop is at a time of the audio clock, in quarters from the start of the transport. */
  position(time = this.now()) {
    return this.step * STEP - (this.time - time) / this.#secondsPerQuarter();
  }

  #secondsPerQuarter() {
    return 60 / this.qpm;
  }

  #schedule(step, time) {
    const found = this.source(step);
    this.onStep(step, time);
    if (this.metronome) this.#clicks(step, time);
    if (!found) {
      this.#endAll(time);
      this.piece = null;
      return;
    }
    const { piece, quarters, at } = found;
    if (piece !== this.piece) this.#change(piece, at, time);
    this.#ends(at, time);
    const last = Math.min(at + STEP, quarters) - TINY;
    for (const note of piece.notes) {
      if (note.start < at - TINY || note.start >= last) continue;
      const begins = time + (note.start - at) * this.#secondsPerQuarter();
      this.#begin(note, piece, begins, Math.min(note.end, quarters) - at, step);
    }
    this.#ends(at, time); // notes shorter than a sixteenth
  }

  #begin(note, piece, time, untilQuarters, step) {
    const key = `${note.track}:${note.pitch}`;
    const before = this.held.get(key);
    if (before) this.#end(key, before, time);
    this.#count(time);
    this.output.on(note, piece, time);
    this.held.set(key, { note, piece, ends: step * STEP + untilQuarters });
  }

  /** End what is over before the next sixteenth. */
  #ends(at, time) {
    const here = this.step * STEP;
    for (const [key, held] of [...this.held]) {
      if (held.ends >= here + STEP - TINY) continue;
      this.#end(key, held, time + Math.max(held.ends - here, 0) * this.#secondsPerQuarter());
    }
  }

  /** Another piece takes over: what it holds, too, sounds on; all else ends. */
  #change(piece, at, time) {
    this.piece = piece;
    for (const [key, held] of [...this.held]) {
      const same = piece.notes.find(
        (note) =>
          note.track === held.note.track &&
          note.pitch === held.note.pitch &&
          note.start < at - TINY &&
          note.end > at + TINY,
      );
      if (same) held.ends = this.step * STEP + same.end - at;
      else this.#end(key, held, time);
    }
  }

  #end(key, held, time) {
    this.held.delete(key);
    this.output.off(held, time);
  }

  #endAll(time) {
    for (const [key, held] of [...this.held]) this.#end(key, held, time);
  }

  #clicks(step, time) {
    const place = (step * STEP) % this.quartersPerBar;
    const inBeat = place % this.beat;
    if (inBeat < STEP - TINY) this.output.click(place - inBeat < TINY ? 0 : 1, time);
  }

  /** How late the synthesizer gets a note, against the clock. */
  #count(time) {
    const late = Math.max(this.now() - time, 0);
    this.stats.events += 1;
    this.stats.worstSeconds = Math.max(this.stats.worstSeconds, late);
    if (late > 0.005) this.stats.late += 1;
  }
}
