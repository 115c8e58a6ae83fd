/** Standard MIDI Files: written by the page, so that what is heard, kept and dragged is one thing. */

const TICKS = 480; // per quarter note
const DRUM_CHANNEL = 9;

/** The MIDI channel of track `index`: drums on the tenth, others on the next that is free. */
export function channelOf(tracks, index) {
  if (tracks[index].drum) return DRUM_CHANNEL;
  const before = tracks.slice(0, index).filter((track) => !track.drum).length;
  const channel = before % 15;
  return channel >= DRUM_CHANNEL ? channel + 1 : channel;
}

/**
 * The bytes of a MIDI file of format 1.
 *
 * @param {import("./model.js").Piece} piece
 * @param {{title?: string, qpm: number, numerator: number, denominator: number, quarters: number}}
 *   facts  `quarters` is the length: the file ends there, so that it loops as it is heard
 */
export function midiFile(piece, { title = "", qpm, numerator, denominator, quarters }) {
  const end = ticks(quarters);
  const conductor = [
    ...meta(0, 0x03, text(title)),
    ...meta(0, 0x51, number(Math.round(60e6 / qpm), 3)),
    ...meta(0, 0x58, [numerator, Math.log2(denominator), 24, 8]),
    ...markers(piece.chords, end),
  ];
  const chunks = [chunk("MTrk", conductor)];
  piece.tracks.forEach((track, index) => {
    chunks.push(chunk("MTrk", trackBytes(piece, track, index, end)));
  });
  const header = chunk("MThd", [0, 1, ...number(chunks.length, 2), ...number(TICKS, 2)]);
  return Uint8Array.from([header, ...chunks].flat());
}

function markers(chords, end) {
  const bytes = [];
  let last = 0;
  for (const { at, symbol } of chords) {
    if (!symbol) continue;
    bytes.push(...meta(ticks(at) - last, 0x06, text(symbol)));
    last = ticks(at);
  }
  return [...bytes, ...meta(Math.max(end - last, 0), 0x2f, [])];
}

function trackBytes(piece, track, index, end) {
  const channel = channelOf(piece.tracks, index);
  const events = [];
  for (const note of piece.notes) {
    if (note.track !== index) continue;
    const start = ticks(note.start);
    const stop = Math.min(Math.max(ticks(note.end), start + 1), Math.max(end, start + 1));
    events.push({ tick: start, order: 1, bytes: [0x90 | channel, note.pitch, note.velocity] });
    events.push({ tick: stop, order: 0, bytes: [0x80 | channel, note.pitch, 0] });
  }
  events.sort((a, b) => a.tick - b.tick || a.order - b.order);
  const bytes = [...meta(0, 0x03, text(track.name))];
  if (!track.drum) bytes.push(0, 0xc0 | channel, track.program);
  let last = 0;
  for (const event of events) {
    bytes.push(...variable(event.tick - last), ...event.bytes);
    last = event.tick;
  }
  return [...bytes, ...meta(Math.max(end - last, 0), 0x2f, [])];
}

const ticks = (quarters) => Math.round(quarters * TICKS);
const text = (words) => [...new TextEncoder().encode(words)];
const number = (value, bytes) =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) & 255);
const meta = (delta, kind, body) => [
  ...variable(delta), 0xff, kind, ...variable(body.length), ...body,
];
const chunk = (name, body) => [...text(name), ...number(body.length, 4), ...body];

function variable(value) {
  const bytes = [value & 127];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}
