import { channelOf } from "./smf.js";

/** MIDI ports of the machine: out to a DAW or synthesizer, in from a keyboard. */
export class MidiPorts {
  constructor({ clock, onKey, onChange }) {
    Object.assign(this, { clock, onKey, onChange });
    this.access = null;
    this.output = null;
    this.input = null;
  }

  static get supported() {
    return typeof navigator.requestMIDIAccess === "function";
  }

  /** Ask the browser for the ports; it may ask the user. */
  async open() {
    if (!MidiPorts.supported) {
      throw new Error("This browser has no Web MIDI (Chrome, Edge and Firefox have); all else works.");
    }
    try {
      this.access = await navigator.requestMIDIAccess({ sysex: false });
    } catch {
      throw new Error("The browser did not allow MIDI ports; all else works.");
    }
    this.access.onstatechange = () => this.onChange();
    this.onChange();
  }

  get outputs() {
    return [...(this.access?.outputs.values() ?? [])];
  }

  get inputs() {
    return [...(this.access?.inputs.values() ?? [])];
  }

  chooseOutput(id) {
    this.allOff();
    this.output = this.outputs.find((port) => port.id === id) ?? null;
    this.programs = new Map();
  }

  chooseInput(id) {
    if (this.input) this.input.onmidimessage = null;
    this.input = this.inputs.find((port) => port.id === id) ?? null;
    if (this.input) this.input.onmidimessage = ({ data }) => this.#heard(data);
  }

  #heard([status, pitch, velocity]) {
    const kind = status & 0xf0;
    if (kind === 0x90 || kind === 0x80) this.onKey(pitch, kind === 0x90 ? velocity : 0);
  }

  on(note, piece, time) {
    if (!this.output) return;
    const [channel, at] = [channelOf(piece.tracks, note.track), this.#at(time)];
    const { program, drum } = piece.tracks[note.track];
    if (!drum && this.programs.get(channel) !== program) {
      this.programs.set(channel, program);
      this.output.send([0xc0 | channel, program], at);
    }
    this.output.send([0x90 | channel, note.pitch, note.velocity], at);
  }

  off({ note, piece }, time) {
    const channel = piece ? channelOf(piece.tracks, note.track) : 0;
    this.output?.send([0x80 | channel, note.pitch, 0], this.#at(time));
  }

  allOff() {
    for (let channel = 0; channel < 16; channel += 1) this.output?.send([0xb0 | channel, 123, 0]);
  }

  /** The time of the audio clock as MIDI ports count it. */
  #at(time) {
    const { contextTime, performanceTime } = this.clock();
    return performanceTime + (time - contextTime) * 1000;
  }
}
