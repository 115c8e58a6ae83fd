/**
 * Scores to windows of steps and back: `musicvae_lite/music/codecs` in JavaScript.
 *
 * @typedef {{values: number[], track: number, bar: number, tick: number}} Window
 *   track: index; bar: 0-based, over metre changes; tick: where it starts
 */

const compound = (numerator) => numerator > 3 && numerator % 3 === 0;

/** Bars of a score on the grid of a codec. */
class Grid {
  constructor(score, codec, nearest = false) {
    this.perQuarter = codec.steps_per_quarter;
    this.perBar = (codec.steps_per_quarter * 4 * codec.numerator) / codec.denominator;
    this.ticks = score.ticks;
    this.segments = score.segments;
    let first = 0;
    this.fits = [];
    this.firstBar = [];
    for (const { start, end, numerator, denominator } of score.segments) {
      const long = numerator * 4 * this.perQuarter === this.perBar * denominator;
      this.fits.push(long && compound(numerator) === compound(codec.numerator));
      this.firstBar.push(first);
      first += Math.ceil(((end - start) * denominator) / (4 * score.ticks * numerator));
    }
    this.late = nearest ? score.ticks : 0;
  }

  segment(tick) {
    const double = 2 * this.perQuarter;
    let found = 0;
    this.segments.forEach(({ start }, i) => {
      if (start * double <= tick * double + this.late) found = i;
    });
    return found;
  }

  /** Ticks to the nearest step of their segment, halves up; notes last at least a step. */
  steps(note, segment) {
    const { start, end } = this.segments[segment];
    const double = 2 * this.perQuarter;
    const round = (tick) => Math.floor(((tick - start) * double + this.ticks) / (2 * this.ticks));
    const onset = round(note.start);
    return { onset, off: Math.max(round(Math.min(note.end, end)), onset + 1) };
  }

  /** Where a bar of a segment is. */
  place(segment, bar) {
    const { start } = this.segments[segment];
    return {
      bar: this.firstBar[segment] + bar,
      tick: start + Math.floor((bar * this.perBar * this.ticks) / this.perQuarter),
    };
  }
}

/** Runs of notes cut where a long silence, another segment or track begins. */
function runs(lines, gap) {
  const found = [];
  lines.forEach((line, i) => {
    const last = lines[i - 1];
    const fresh = !last || last.track !== line.track || last.segment !== line.segment ||
      line.onset - last.off >= gap;
    if (fresh) found.push([]);
    found.at(-1).push(line);
  });
  return found;
}

/** Bars of each run {lines, bar, bars}; runs shorter than a window are lengthened where all are. */
function spans(found, codec, perBar) {
  const made = found.map((lines) => {
    const bar = Math.floor(lines[0].onset / perBar);
    const bars = Math.ceil(lines.at(-1).off / perBar) - bar;
    return { lines, bar, bars: codec.max_bars === null ? bars : Math.min(bars, codec.max_bars) };
  });
  if (!codec.pad_short || !made.length || made.some(({ bars }) => bars >= codec.bars)) return made;
  return made.map((own, i) => {
    const last = made[i - 1];
    const [a, b] = [own.lines[0], last?.lines[0]];
    const free = last && a.track === b.track && a.segment === b.segment ? last.bar + last.bars : 0;
    return { ...own, bar: Math.max(own.bar - (codec.bars - own.bars), free), bars: codec.bars };
  });
}

/** Cut a line of steps into windows, every `hop_bars`. */
function* cuts({ lines, bar, bars }, codec, grid, line) {
  const size = codec.bars * grid.perBar;
  for (let nth = 0; nth * codec.hop_bars + codec.bars <= bars; nth++) {
    const at = nth * codec.hop_bars * grid.perBar;
    const place = grid.place(lines[0].segment, bar + nth * codec.hop_bars);
    yield { values: line.slice(at, at + size), ...place };
  }
}

/** One note at a time: 0 goes on, 1 note off, 2 and up a pitch. */
class Melody {
  constructor(config) {
    Object.assign(this, config);
  }

  encode(score, tracks = null, programs = this.programs) {
    const grid = new Grid(score, this);
    const lines = [];
    for (const note of score.notes) {
      const { program, drum } = score.tracks[note.track];
      const segment = grid.segment(note.start);
      if (drum || (tracks && !tracks.includes(note.track)) || !grid.fits[segment]) continue;
      if (programs && (program < programs[0] || program > programs[1])) continue;
      if (!note.velocity || note.pitch < this.min_pitch || note.pitch > this.max_pitch) continue;
      const { onset, off } = grid.steps(note, segment);
      const last = lines.at(-1);
      const line = { track: note.track, segment, onset, off, pitch: note.pitch };
      const together = last && last.track === line.track && last.segment === segment && last.onset === onset;
      // Of notes that start together the highest counts, of equal ones the first.
      if (!together) lines.push(line);
      else if (line.pitch > last.pitch) lines[lines.length - 1] = line;
    }
    const windows = [];
    for (const span of spans(runs(lines, this.gap_bars * grid.perBar), this, grid.perBar)) {
      if (span.bars < this.bars) continue;
      for (const window of cuts(span, this, grid, this.#line(span, grid.perBar))) {
        const first = window.values.findIndex((value) => value >= 2);
        if (first < 0 && this.require_onset) continue;
        // A note off before any note means nothing.
        window.values.fill(0, 0, first < 0 ? undefined : first);
        windows.push({ ...window, track: span.lines[0].track });
      }
    }
    return windows;
  }

  #line({ lines, bar, bars }, perBar) {
    const line = new Array(bars * perBar).fill(0);
    lines.forEach(({ onset, off, pitch }, i) => {
      const at = onset - bar * perBar;
      const stop = off - bar * perBar;
      const next = lines[i + 1] ? lines[i + 1].onset - bar * perBar : line.length;
      if (stop < Math.min(next, line.length)) line[stop] = 1;
      if (at < line.length) line[at] = pitch - this.min_pitch + 2;
    });
    return line;
  }

  /** Notes in steps. */
  decode(window) {
    const notes = [];
    window.forEach((value, step) => {
      if (!value) return;
      if (notes.length && notes.at(-1).end < 0) notes.at(-1).end = step;
      if (value >= 2) notes.push({ start: step, end: -1, pitch: value + this.min_pitch - 2, velocity: 80, track: 0 });
    });
    if (notes.length && notes.at(-1).end < 0) notes.at(-1).end = window.length;
    return notes;
  }
}

/** All drum tracks together; a step is one number, the sum of 2 ** class. */
class Drums {
  constructor(config, pitches) {
    Object.assign(this, config, { pitches });
    this.classOf = new Map(pitches.flatMap((group, drum) => group.map((pitch) => [pitch, drum])));
  }

  encode(score, tracks = null) {
    const grid = new Grid(score, this);
    const hits = new Map();
    let track = Infinity;
    for (const note of score.notes) {
      const segment = grid.segment(note.start);
      if (tracks ? !tracks.includes(note.track) : !score.tracks[note.track].drum) continue;
      const drum = this.classOf.get(note.pitch);
      if (!grid.fits[segment] || !note.velocity || drum === undefined) continue;
      const { onset } = grid.steps(note, segment);
      const key = `${segment} ${onset}`;
      const hit = hits.get(key) ?? { track: 0, segment, onset, off: onset + 1, bits: 0 };
      hit.bits |= 1 << drum;
      hits.set(key, hit);
      track = Math.min(track, note.track);
    }
    const lines = [...hits.values()].sort((a, b) => a.segment - b.segment || a.onset - b.onset);
    const windows = [];
    for (const span of spans(runs(lines, this.gap_bars * grid.perBar), this, grid.perBar)) {
      if (span.bars < this.bars) continue;
      const line = new Array(span.bars * grid.perBar).fill(0);
      for (const { onset, bits } of span.lines) {
        const at = onset - span.bar * grid.perBar;
        if (at < line.length) line[at] = bits;
      }
      for (const window of cuts(span, this, grid, line)) {
        if (this.require_onset && !window.values.some(Boolean)) continue;
        windows.push({ ...window, track });
      }
    }
    return windows;
  }

  decode(window) {
    const notes = [];
    window.forEach((bits, step) => {
      this.pitches.forEach(([pitch], drum) => {
        if ((bits >> drum) & 1) notes.push({ start: step, end: step + 1, pitch, velocity: 80, track: 0 });
      });
    });
    return notes;
  }
}

const HALF = 240; // ticks of half a step in what is written

/** Hits, velocities and offsets of 9 drums a step. */
class Groove {
  constructor(config, pitches) {
    Object.assign(this, config, { pitches });
    this.classOf = new Map(pitches.flatMap((group, drum) => group.map((pitch) => [pitch, drum])));
  }

  encode(score, tracks = null) {
    const grid = new Grid(score, this, true);
    const segments = score.segments.map(() => new Map());
    let track = Infinity;
    for (const note of score.notes) {
      const segment = grid.segment(note.start);
      if (tracks ? !tracks.includes(note.track) : !score.tracks[note.track].drum) continue;
      const drum = this.classOf.get(note.pitch);
      if (!grid.fits[segment] || !note.velocity || drum === undefined) continue;
      const step = grid.steps(note, segment).onset;
      const key = step * 9 + drum;
      const own = segments[segment].get(key);
      // Of several hits of a drum at a step the loudest counts, of equal ones the earliest.
      const louder = !own || note.velocity > own.note.velocity ||
        (note.velocity === own.note.velocity && note.start < own.note.start);
      if (louder) segments[segment].set(key, { note, step, drum });
      track = Math.min(track, note.track);
    }
    return segments.flatMap((hits, segment) => this.#windows([...hits.values()], segment, grid, track));
  }

  #windows(hits, segment, grid, track) {
    if (!hits.length) return [];
    const bars = 1 + Math.max(...hits.map(({ step }) => Math.floor(step / grid.perBar)));
    const more = Math.max(bars - this.bars, 0);
    const padded = this.pad_short ? this.bars + Math.ceil(more / this.hop_bars) * this.hop_bars : bars;
    const count = Math.max(0, Math.floor((padded - this.bars) / this.hop_bars) + 1);
    const first = Math.min(...hits.map(({ step }) => Math.floor(Math.floor(step / grid.perBar) / this.hop_bars)));
    const windows = [];
    for (let nth = this.require_onset ? Math.min(first, count - 1) : 0; nth < count; nth++) {
      const begin = nth * this.hop_bars * grid.perBar;
      const inside = hits.filter(({ step }) => step >= begin && step < begin + this.bars * grid.perBar);
      if (!inside.length && this.require_onset) continue;
      const values = new Array(this.bars * grid.perBar * 27).fill(0);
      for (const { note, step, drum } of inside) {
        const at = (step - begin) * 27 + drum;
        const early = step * grid.ticks - (note.start - grid.segments[segment].start) * grid.perQuarter;
        values[at] = 1;
        values[at + 9] = Math.fround(note.velocity / 127);
        values[at + 18] = Math.fround((2 * early) / grid.ticks);
      }
      windows.push({ values, track, ...grid.place(segment, nth * this.hop_bars) });
    }
    return windows;
  }

  decode(window) {
    const notes = [];
    for (let step = 0; step * 27 < window.length; step++) {
      for (let drum = 0; drum < 9; drum++) {
        const at = step * 27 + drum;
        if (!(window[at] > 0.5)) continue;
        const early = Math.min(HALF, Math.max(1 - HALF, even(window[at + 18] * HALF)));
        const start = Math.max(0, 2 * HALF * step - early) / (2 * HALF);
        const velocity = Math.min(127, Math.max(1, even(Math.fround(Math.fround(window[at + 9]) * 127))));
        notes.push({ start, end: start + 1, pitch: this.pitches[drum][0], velocity, track: 0 });
      }
    }
    for (const note of notes) {
      const next = notes.filter(({ pitch, start }) => pitch === note.pitch && start > note.start);
      note.end = Math.min(note.end, ...next.map(({ start }) => start));
    }
    return notes;
  }
}

/** Round halves to even, as NumPy does. */
function even(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** The codec of what `musae export` says of a model. */
export function createCodec({ codec, classes }) {
  if (codec.kind === "melody") return new Melody(codec);
  if (codec.kind === "drums") return new Drums(codec, classes.bits);
  return new Groove(codec, classes.hits);
}
