/**
 * Keeping what is locked: the locked notes stay to the tick, and new ones come where they leave room.
 *
 * Notes are what is compared, so that this works the same for melodies, drums and bands.
 */

const TINY = 1e-6;
const OCTAVE = 12;

/** What names a note in a set of locks. */
export const keyOf = (note) => `${note.track}:${note.pitch}:${note.start}`;

const barOf = (note, quartersPerBar) => Math.floor((note.start + TINY) / quartersPerBar);

/** Whether a note is locked, by itself or with its bar. */
export function isLocked(note, { notes, bars }, quartersPerBar) {
  return notes.has(keyOf(note)) || bars.has(barOf(note, quartersPerBar));
}

/**
 * A piece with the locked notes of `piece` and the others of `candidate`.
 *
 * @param {import("./model.js").Piece} piece
 * @param {import("./model.js").Piece} candidate
 * @param {{notes: Set<string>, bars: Set<number>}} locks
 * @param {number} quartersPerBar
 * @returns {import("./model.js").Piece}
 */
export function withLocked(piece, candidate, locks, quartersPerBar) {
  const kept = piece.notes.filter((note) => isLocked(note, locks, quartersPerBar));
  const fresh = [];
  for (const note of candidate.notes) {
    if (locks.bars.has(barOf(note, quartersPerBar))) continue;
    const own = kept.filter((other) => other.track === note.track);
    const fitted = piece.tracks[note.track]?.drum
      ? fitDrum(note, own)
      : fitNote(note, own, locks.bars, quartersPerBar);
    if (fitted) fresh.push(fitted);
  }
  const notes = [...kept, ...fresh].sort((a, b) => a.start - b.start || a.pitch - b.pitch);
  return { ...piece, notes, chords: candidate.chords };
}

/** A hit, unless the same drum is locked at that place. */
function fitDrum(note, kept) {
  const same = (other) => other.pitch === note.pitch && Math.abs(other.start - note.start) < 0.06;
  return kept.some(same) ? null : note;
}

/** A note, cut where a locked one (or a locked bar) begins; null where one sounds already. */
function fitNote(note, kept, bars, quartersPerBar) {
  let { end } = note;
  for (const other of kept) {
    if (other.start <= note.start + TINY && other.end > note.start + TINY) return null;
    if (other.start > note.start && other.start < end) end = other.start;
  }
  for (const bar of bars) {
    const begin = bar * quartersPerBar;
    if (begin > note.start && begin < end) end = begin;
  }
  return end - note.start > TINY ? { ...note, end } : null;
}

/**
 * The candidate that suits the locked notes best: the one that says most of them by itself and
 * keeps to their register, of those that are something new.
 */
export function bestFit(piece, candidates, locks, quartersPerBar) {
  const before = signature(piece);
  const scored = candidates.map((candidate) => {
    const said = new Set(candidate.notes.map(keyOf));
    const kept = piece.notes.filter((note) => isLocked(note, locks, quartersPerBar));
    const merged = withLocked(piece, candidate, locks, quartersPerBar);
    const fits = kept.filter((note) => said.has(keyOf(note))).length;
    const leap = Math.abs(register(merged, piece, said) - register(piece, piece, null)) / OCTAVE;
    return { merged, score: fits - leap - (signature(merged) === before ? 1e6 : 0) };
  });
  return scored.reduce((best, one) => (one.score > best.score ? one : best)).merged;
}

/** The mean pitch of the notes with a pitch; `among` are keys of those that count, or null for all. */
function register(piece, { tracks }, among) {
  const pitched = piece.notes.filter((note) => !tracks[note.track]?.drum && (!among || among.has(keyOf(note))));
  return pitched.length ? pitched.reduce((sum, { pitch }) => sum + pitch, 0) / pitched.length : 60;
}

/** What two pieces with the same notes share. */
export function signature(piece) {
  return piece.notes
    .map((n) => [n.track, n.pitch, n.velocity, n.start.toFixed(4), n.end.toFixed(4)].join())
    .join(";");
}
