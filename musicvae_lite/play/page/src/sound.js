import { WorkletSynthesizer } from "spessasynth_lib";
import { channelOf } from "./smf.js";

const CHANNELS = 16;
const MAKE_UP = 3; // one melody of a SoundFont that leaves room for an orchestra
const CLICK_SECONDS = 0.03;
const CLICK_HZ = [1760, 1175];

/** The synthesizer, the metronome and the levels, on one audio clock. */
export class Sound {
  constructor() {
    const Context = globalThis.AudioContext ?? globalThis.webkitAudioContext;
    if (!Context || !globalThis.AudioWorkletNode) {
      throw new Error("This browser has no Web Audio: nothing can be heard. All else works.");
    }
    this.context = new Context({ latencyHint: "interactive" });
    this.master = new GainNode(this.context, { gain: 0.8 });
    this.limiter = new DynamicsCompressorNode(this.context, {
      threshold: -6, knee: 6, ratio: 12, attack: 0.002, release: 0.1,
    });
    this.analyser = new AnalyserNode(this.context, { fftSize: 2048 });
    this.instruments = new GainNode(this.context, { gain: MAKE_UP });
    this.instruments.connect(this.master);
    this.master.connect(this.limiter).connect(this.analyser).connect(this.context.destination);
    this.programs = new Array(CHANNELS).fill(null);
    this.loaded = this.#load();
  }

  async #load() {
    const [font] = await Promise.all([
      fetch("soundfont.sf3").then((response) => response.arrayBuffer()),
      this.context.audioWorklet.addModule("synth.js"),
    ]);
    this.synth = new WorkletSynthesizer(this.context, { eventsEnabled: false });
    await this.synth.soundBankManager.addSoundBank(font, "main");
    await this.synth.isReady;
    this.synth.connect(this.instruments);
  }

  /** Browsers let sound begin only after the user did something. */
  resume() {
    return this.context.resume();
  }

  get now() {
    return this.context.currentTime;
  }

  /** How long from the clock to the ear, in seconds. */
  get latency() {
    return (this.context.outputLatency ?? 0) + (this.context.baseLatency ?? 0);
  }

  setVolume(volume) {
    this.master.gain.setTargetAtTime(volume * volume, this.now, 0.01);
  }

  on(note, piece, time) {
    if (!this.synth) return;
    const channel = channelOf(piece.tracks, note.track);
    this.#program(channel, piece.tracks[note.track], time);
    this.synth.noteOn(channel, note.pitch, note.velocity, { time });
  }

  off({ note, piece }, time) {
    this.synth?.noteOff(channelOf(piece.tracks, note.track), note.pitch, { time });
  }

  #program(channel, track, time) {
    if (track.drum || this.programs[channel] === track.program) return;
    this.programs[channel] = track.program;
    this.synth.programChange(channel, track.program, { time });
  }

  /** A key of the user's keyboard, at once. */
  key(pitch, velocity, program, drum) {
    if (!this.synth) return;
    const channel = drum ? 9 : 15;
    if (!drum && this.programs[channel] !== program) {
      this.programs[channel] = program;
      this.synth.programChange(channel, program);
    }
    if (velocity) this.synth.noteOn(channel, pitch, velocity);
    else this.synth.noteOff(channel, pitch);
  }

  click(beat, time) {
    const tone = new OscillatorNode(this.context, { frequency: CLICK_HZ[Math.min(beat, 1)] });
    const level = new GainNode(this.context, { gain: 0 });
    level.gain.setValueAtTime(0, time);
    level.gain.linearRampToValueAtTime(beat ? 0.12 : 0.22, time + 0.002);
    level.gain.exponentialRampToValueAtTime(0.0001, time + CLICK_SECONDS);
    tone.connect(level).connect(this.master);
    tone.start(time);
    tone.stop(time + CLICK_SECONDS);
  }

  silence() {
    this.synth?.stopAll();
  }

  /** The level of what is heard now, 0 to 1. */
  get level() {
    const samples = (this.samples ??= new Float32Array(this.analyser.fftSize));
    this.analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
  }
}
