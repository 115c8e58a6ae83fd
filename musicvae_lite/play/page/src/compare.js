/**
 * A recording and what it became, playing at the same time: only levels change when another one is
 * to be heard, so that nothing stops and no sample is missed.
 *
 * Cleaning is linear in its strength s: what is heard is (1 - s) of the one and s of the other, and
 * the residue s times their difference.
 */
const FADE_SECONDS = 0.008;

export class Comparison {
  constructor() {
    this.context = new AudioContext();
    this.levels = [new GainNode(this.context, { gain: 1 }), new GainNode(this.context, { gain: 0 })];
    this.analyser = new AnalyserNode(this.context);
    for (const level of this.levels) level.connect(this.analyser);
    this.analyser.connect(this.context.destination);
    this.buffers = null;
    this.sources = null;
    this.strength = 1;
    this.what = "after";
    this.offset = 0;
  }

  async load(before, after) {
    const buffers = await Promise.all([before, after].map((data) => this.context.decodeAudioData(data)));
    const playing = this.playing;
    const at = this.position;
    if (playing) this.stop();
    this.buffers = buffers;
    this.offset = Math.min(at, this.duration);
    if (playing) this.play(this.offset);
  }

  get duration() {
    return this.buffers?.[0].duration ?? 0;
  }

  get playing() {
    return Boolean(this.sources);
  }

  get position() {
    if (!this.sources) return this.offset;
    return (this.offset + this.context.currentTime - this.began) % Math.max(this.duration, 1e-3);
  }

  /** Play both from a time on, over and over. */
  play(from = this.offset) {
    this.stop();
    this.context.resume();
    this.offset = from >= this.duration - 0.01 ? 0 : from;
    const at = this.context.currentTime + 0.02;
    this.sources = this.buffers.map((buffer, i) => {
      const source = new AudioBufferSourceNode(this.context, { buffer, loop: true });
      source.connect(this.levels[i]);
      source.start(at, this.offset);
      return source;
    });
    this.began = at;
    this.#mix(0);
  }

  stop() {
    if (!this.sources) return;
    this.offset = this.position;
    for (const source of this.sources) source.stop();
    this.sources = null;
  }

  seek(seconds) {
    if (this.playing) this.play(seconds);
    else this.offset = seconds;
  }

  /** @param {"before"|"after"|"residue"} what */
  listen(what) {
    this.what = what;
    this.#mix(FADE_SECONDS);
  }

  setStrength(strength) {
    this.strength = strength;
    this.#mix(FADE_SECONDS);
  }

  #mix(seconds) {
    const s = this.strength;
    const gains = { before: [1, 0], after: [1 - s, s], residue: [s, -s] }[this.what];
    const now = this.context.currentTime;
    this.levels.forEach(({ gain }, i) => {
      gain.cancelScheduledValues(now);
      gain.setValueAtTime(gain.value, now);
      gain.linearRampToValueAtTime(gains[i], now + Math.max(seconds, 1e-4));
    });
  }
}
