/** What can be muted and heard alone: the drums of a kit, else the tracks. */

const DRUMS = [
  ["Kick", [35, 36]],
  ["Snare", [37, 38, 39, 40]],
  ["Hi-hat", [42, 44, 46]],
  ["Toms", [41, 43, 45, 47, 48, 50]],
  ["Cymbals", [49, 51, 52, 53, 55, 57, 59]],
];
export const DRUM_NAMES = {
  35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 41: "low tom",
  42: "closed hat", 43: "low tom", 44: "pedal hat", 45: "mid tom", 46: "open hat", 47: "mid tom",
  48: "high tom", 49: "crash", 50: "high tom", 51: "ride", 52: "china", 53: "ride bell",
  55: "splash", 57: "crash", 59: "ride",
};
const OTHER = "Other";

const NOTES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

export const pitchName = (pitch) => `${NOTES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** What a note is called: a drum, or a pitch. */
export const noteName = (note, track) =>
  track?.drum ? (DRUM_NAMES[note.pitch] ?? `drum ${note.pitch}`) : pitchName(note.pitch);

/** The voice of a note. */
export function voiceOf(note, piece) {
  const track = piece.tracks[note.track];
  const alone = piece.tracks.length === 1;
  if (track.drum && alone) {
    return DRUMS.find(([, pitches]) => pitches.includes(note.pitch))?.[0] ?? OTHER;
  }
  return track.name || `Track ${note.track + 1}`;
}

/** The voices of a piece, in the order in which they are shown. */
export function voicesOf(piece) {
  if (piece.tracks.length === 1 && piece.tracks[0].drum) {
    return [...DRUMS.map(([name]) => name), OTHER].filter(
      (name) => name !== OTHER || piece.notes.some((note) => voiceOf(note, piece) === OTHER),
    );
  }
  return piece.tracks.map((track, index) => track.name || `Track ${index + 1}`);
}

/** Whether a voice is heard. */
export function isHeard(voice, { muted, solo }) {
  return solo.size ? solo.has(voice) : !muted.has(voice);
}

/** Families of General MIDI, for the choice of an instrument. */
export const INSTRUMENTS = [
  [0, "Grand piano"], [4, "Electric piano"], [7, "Clavinet"], [8, "Celesta"], [11, "Vibraphone"],
  [12, "Marimba"], [16, "Organ"], [20, "Reed organ"], [22, "Harmonica"], [24, "Nylon guitar"],
  [27, "Electric guitar"], [33, "Bass"], [38, "Synth bass"], [40, "Violin"], [48, "Strings"],
  [53, "Voices"], [56, "Trumpet"], [57, "Trombone"], [65, "Saxophone"], [68, "Oboe"],
  [71, "Clarinet"], [73, "Flute"], [80, "Square lead"], [81, "Saw lead"], [89, "Warm pad"],
  [104, "Sitar"], [108, "Kalimba"], [114, "Steel drums"],
];
