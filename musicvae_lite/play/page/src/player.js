import { MidiPorts } from "./midi_ports.js";
import { Scheduler, STEP } from "./scheduler.js";
import { Sound } from "./sound.js";
import { isHeard, voiceOf } from "./voices.js";

/**
 * What plays: one loop on the audio clock, whose content may change at any sixteenth or bar.
 *
 * `choose(bar)` says what is to sound: `{piece, quarters, at}`, where `at` is the place of that bar
 * in the piece.
 */
export class Player {
  constructor({ choose, onHeard, onPosition, onKey, onPorts }) {
    Object.assign(this, { choose, onHeard, onPosition });
    this.sound = null;
    this.switchAt = "sixteenth";
    this.facts = { quarters: 8, quartersPerBar: 4, beat: 1 };
    this.voices = { muted: new Set(), solo: new Set() };
    this.marks = []; // what sounds from when on, for the eye
    this.ports = new MidiPorts({ clock: () => this.#timestamp(), onKey, onChange: onPorts });
  }

  /** Start the audio; the first call needs a click or a key of the user. */
  async open() {
    if (!this.sound) {
      this.sound = new Sound();
      this.scheduler = new Scheduler({
        now: () => this.sound.now,
        source: (step) => this.#source(step),
        output: this,
        onStep: (step, time) => this.#mark(step, time),
      });
      this.clock = new Worker("clock.js");
      this.clock.onmessage = () => this.scheduler.advance();
      this.apply();
    }
    await Promise.all([this.sound.resume(), this.sound.loaded]);
  }

  get playing() {
    return Boolean(this.scheduler?.playing);
  }

  async start() {
    await this.open();
    this.apply();
    this.latched = null;
    this.marks = [];
    this.scheduler.start();
    this.clock.postMessage("start");
    this.#watch();
  }

  stop() {
    this.clock?.postMessage("stop");
    this.scheduler?.stop();
    this.ports.allOff();
    this.onPosition(null);
  }

  /** Take over tempo, metre and the rest. */
  apply({ qpm, metronome, volume } = {}) {
    Object.assign(this, { qpm: qpm ?? this.qpm ?? 120, metronome: metronome ?? this.metronome });
    this.volume = volume ?? this.volume ?? 0.8;
    if (!this.scheduler) return;
    const { quartersPerBar, beat } = this.facts;
    Object.assign(this.scheduler, { qpm: this.qpm, metronome: Boolean(this.metronome), quartersPerBar, beat });
    this.sound.setVolume(this.volume);
  }

  /** Let what is chosen now sound from the next sixteenth (or bar) on. */
  #source(step) {
    const quarters = step * STEP;
    const { quartersPerBar } = this.facts;
    const bar = Math.floor(quarters / quartersPerBar + 1e-9);
    const inBar = quarters - bar * quartersPerBar;
    if (this.switchAt === "sixteenth" || inBar === 0 || !this.latched || this.latched.bar !== bar) {
      const found = this.choose(bar);
      this.latched = found && { ...found, bar };
    }
    const found = this.latched;
    if (!found) return null;
    return { piece: found.piece, quarters: found.quarters, at: found.at + inBar };
  }

  #mark(step, time) {
    const found = this.latched;
    const last = this.marks.at(-1);
    const at = found ? found.at + ((step * STEP) % this.facts.quartersPerBar) : 0;
    this.marks.push({ time, at, found });
    if (this.marks.length > 64) this.marks.shift();
    if (found && last?.found?.piece !== found.piece) this.onHeard(found, time);
  }

  #watch() {
    const look = () => {
      if (!this.playing) return;
      const now = this.sound.now - this.sound.latency;
      const mark = this.marks.findLast(({ time }) => time <= now);
      if (mark) this.onPosition({ ...mark, at: mark.at + ((now - mark.time) * this.qpm) / 60 });
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }

  on(note, piece, time) {
    if (!isHeard(voiceOf(note, piece), this.voices)) return;
    if (this.ports.output) this.ports.on(note, piece, time);
    else this.sound.on(note, piece, time);
  }

  off(held, time) {
    this.ports.off(held, time);
    this.sound.off(held, time);
  }

  click(beat, time) {
    this.sound.click(beat, time);
  }

  #timestamp() {
    const { context } = this.sound;
    const stamp = context.getOutputTimestamp?.();
    if (stamp?.performanceTime) return stamp;
    return { contextTime: context.currentTime, performanceTime: performance.now() };
  }
}
