/**
 * Standard MIDI Files: notes, tracks, tempos and metres, by the rules of `media/midi_notes.py`.
 *
 * @typedef {{start: number, end: number, pitch: number, velocity: number, track: number}} Note
 * @typedef {object} Score
 * @property {number} ticks     a quarter note
 * @property {Note[]} notes     by track, start, pitch from high to low, end
 * @property {{name: string, program: number, drum: boolean}[]} tracks
 * @property {{tick: number, qpm: number}[]} tempos
 * @property {{start: number, end: number, numerator: number, denominator: number}[]} segments
 */
import { ModelError } from "./model.js";

const DRUMS = 9;

/** @returns {Score} */
export function readMidi(bytes, name) {
  const data = bytes[0] === 0x52 ? unwrapped(bytes) : bytes; // RIFF
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 14 || text(data, 0, 4) !== "MThd") throw new ModelError(`${name}: is no MIDI file`);
  const division = view.getUint16(12);
  if (division & 0x8000 || !division) throw new ModelError(`${name}: counts time in seconds, not in beats`);
  const events = [];
  let [at, chunk] = [8 + view.getUint32(4), 0];
  while (at + 8 <= data.length) {
    const size = view.getUint32(at + 4);
    if (text(data, at, 4) === "MTrk") readTrack(data, at + 8, Math.min(at + 8 + size, data.length), chunk++, events);
    at += 8 + size;
  }
  return scoreOf(events, chunk, division, name);
}

const text = (data, at, count) => String.fromCharCode(...data.subarray(at, at + count));

function unwrapped(data) {
  for (let at = 12; at + 8 < data.length; ) {
    const size = new DataView(data.buffer, data.byteOffset + at + 4).getUint32(0, true);
    if (text(data, at, 4) === "data") return data.subarray(at + 8, at + 8 + size);
    at += 8 + size + (size & 1);
  }
  return data;
}

function readTrack(data, begin, end, chunk, events) {
  let [at, tick, status] = [begin, 0, 0];
  const number = () => {
    let value = 0;
    for (let count = 0; count < 4 && at < end; count++) {
      const byte = data[at++];
      value = value * 128 + (byte & 127);
      if (byte < 128) break;
    }
    return value;
  };
  while (at < end) {
    tick += number();
    if (data[at] >= 0x80) status = data[at++];
    if (status === 0xff) {
      const kind = data[at++];
      const size = number();
      events.push({ chunk, tick, meta: kind, body: data.subarray(at, Math.min(at + size, end)) });
      at += size;
      status = 0;
    } else if (status === 0xf0 || status === 0xf7) {
      at += number();
      status = 0;
    } else if (status >= 0x80 && status < 0xf0) {
      const kind = status >> 4;
      const [first, second] = [data[at], kind === 0xc || kind === 0xd ? 0 : data[at + 1]];
      at += kind === 0xc || kind === 0xd ? 1 : 2;
      if (at <= end) events.push({ chunk, tick, kind, channel: status & 15, first: first & 127, second: second & 127 });
    } else {
      at++; // what no rule explains is skipped
    }
  }
  events.push({ chunk, tick, last: true });
}

function scoreOf(events, chunks, ticks, name) {
  const ends = new Array(chunks).fill(0);
  const names = new Map();
  const [tempos, metres] = [[], []];
  for (const { chunk, tick, meta, body, last } of events) {
    if (last) ends[chunk] = tick;
    if (meta === 3 && !names.has(chunk)) names.set(chunk, new TextDecoder().decode(body).replace(/\0+$/, "").trim());
    if (meta === 0x51 && body.length === 3) {
      const micros = body[0] * 65536 + body[1] * 256 + body[2];
      if (micros) tempos.push({ tick, qpm: tempo(micros) });
    }
    if (meta === 0x58 && body.length >= 2 && body[0] && body[1] <= 6) {
      metres.push({ tick, numerator: body[0], denominator: 2 ** body[1] });
    }
  }
  const found = notesOf(events, ends);
  if (!found.length) throw new ModelError(`${name}: the file holds no notes`);
  const tracks = instruments(found);
  const notes = found.map(({ start, end, pitch, velocity, place }) => ({
    start, end, pitch, velocity, track: tracks.findIndex((track) => track.place === place),
  }));
  notes.sort((a, b) => a.track - b.track || a.start - b.start || b.pitch - a.pitch || a.end - b.end);
  tempos.sort((a, b) => a.tick - b.tick);
  metres.sort((a, b) => a.tick - b.tick);
  const listed = tracks.map(({ chunk, channel, program }) => ({
    name: names.get(chunk) ?? "", program, drum: channel === DRUMS,
  }));
  return { ticks, notes, tracks: listed, tempos, segments: segmentsOf(metres, notes) };
}

function tempo(micros) {
  const plain = Math.round((6e7 / micros) * 100) / 100;
  return plain > 0 && Math.round(6e7 / plain) === micros ? plain : 6e7 / micros;
}

/** A note-off ends every sounding note of its key that began before it. */
function notesOf(events, ends) {
  const [sounding, notes] = [new Map(), []];
  events.forEach((event, order) => {
    if (event.kind !== 8 && event.kind !== 9) return;
    const { chunk, tick, channel, first, second } = event;
    const key = (chunk * 16 + channel) * 128 + first;
    const voice = sounding.get(key) ?? [];
    if (event.kind === 9 && second) {
      const note = { start: tick, end: -1, off: Infinity, pitch: first, velocity: second, chunk, channel, order };
      notes.push(note);
      sounding.set(key, [...voice, note]);
      return;
    }
    const before = voice.filter((note) => note.start < tick);
    const ended = before.length ? before : voice;
    for (const note of ended) Object.assign(note, { end: tick, off: order });
    sounding.set(key, voice.filter((note) => !ended.includes(note)));
  });
  const program = programs(events);
  return notes.flatMap((note) => {
    if (note.end < 0) note.end = Math.max(ends[note.chunk], note.start + 1);
    if (note.end <= note.start) {
      if (note.channel !== DRUMS) return [];
      note.end = note.start + 1;
    }
    const own = program(note);
    return [{ ...note, program: own, place: (note.chunk * 16 + note.channel) * 128 + own }];
  });
}

/** The program of a note: the last one that its track has set on its channel, or else any track. */
function programs(events) {
  const set = events.filter(({ kind }) => kind === 0xc);
  const last = (list, tick) => list.filter((one) => one.tick <= tick)
    .reduce((best, one) => (best === null || one.tick >= best.tick ? one : best), null);
  return ({ chunk, channel, start }) => {
    const channels = set.filter((one) => one.channel === channel);
    const own = last(channels.filter((one) => one.chunk === chunk), start);
    return (own ?? last(channels, start))?.first ?? 0;
  };
}

/** Instruments in the order of their chunks; inside one the one whose first note ends first. */
function instruments(notes) {
  const found = new Map();
  for (const { place, chunk, channel, program, end, off } of notes) {
    const own = found.get(place);
    if (!own) found.set(place, { place, chunk, channel, program, end, off });
    else Object.assign(own, { end: Math.min(own.end, end), off: Math.min(own.off, off) });
  }
  return [...found.values()].sort((a, b) => a.chunk - b.chunk || a.end - b.end || a.off - b.off);
}

/** The piece cut where its metre changes. */
function segmentsOf(metres, notes) {
  const end = notes.reduce((latest, note) => Math.max(latest, note.end, note.start + 1), 0);
  const marks = [{ tick: 0, numerator: 4, denominator: 4 }];
  for (const metre of metres) {
    if (metre.tick === marks.at(-1)?.tick) marks.pop();
    const last = marks.at(-1);
    if (!last || last.numerator !== metre.numerator || last.denominator !== metre.denominator) marks.push(metre);
  }
  return marks.map(({ tick, numerator, denominator }, i) => ({
    start: tick, end: Math.min(marks[i + 1]?.tick ?? end, end), numerator, denominator,
  })).filter(({ start, end: stop }) => start < stop);
}

/** The tempo at a tick. */
export function tempoAt(score, tick) {
  return score.tempos.filter((one) => one.tick <= tick).at(-1)?.qpm ?? 120;
}
