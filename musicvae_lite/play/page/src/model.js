/**
 * What the page needs of a model. The page knows no other way to one.
 *
 * There are two: `HttpModel` (http_model.js) asks the Python process of `musae play`; a folder that
 * `musae export --web` wrote brings one that runs in the browser. `createModel` (backends.js)
 * chooses by the settings in the page (`<script id="setup" type="application/json">`).
 *
 * Geometry is not the model's: great circles, grids and attribute directions are computed from the
 * points that it gives (latent.js), keeping notes that are locked is done on notes (locks.js), and
 * MIDI files are written by the page (smf.js). All times are in quarter notes from the start of the
 * window; pitches, velocities and programs are those of General MIDI.
 *
 * @typedef {{start: number, end: number, pitch: number, velocity: number, track: number}} Note
 * @typedef {{name: string, program: number, drum: boolean}} Track
 * @typedef {{at: number, symbol: string}} Chord
 *
 * @typedef {object} Piece  One window of the model, as notes.
 * @property {Track[]} tracks
 * @property {Note[]} notes      in order of their start
 * @property {Chord[]} chords    what it is played over, or what its notes say; may be empty
 * @property {number[]} z        its point in latent space
 *
 * @typedef {object} Attribute   A direction in latent space.
 * @property {string} name
 * @property {string} unit
 * @property {number[]} vector   one difference between the quartiles; added `amount` times
 *
 * @typedef {object} Description
 * @property {string} name        of the model
 * @property {"music"|"sound"} medium
 * @property {string} kind        of the codec: "melody", "drums", "trio", "groove", "multitrack"
 * @property {number} bars        of a window
 * @property {number} numerator   of the metre
 * @property {number} denominator of the metre
 * @property {number} stepsPerQuarter
 * @property {number} latentSize
 * @property {string[]} roles     voices of a window
 * @property {boolean} chords     whether it is told of chords
 * @property {boolean} hits       whether it plays hits that are given (of grooves)
 * @property {boolean} between    whether `between` makes better tiles than `decode` does
 * @property {Attribute[]} attributes
 * @property {{name: string, label: string, medium: string}[]} models  others that can be chosen
 * @property {string|null} folder where kept files are written; null where there is no disk
 * @property {string[]} corners   names of the pieces that fill the pad at first
 *
 * @typedef {object} Heard        What a file gives.
 * @property {string} id          names the window for `between`
 * @property {string} name        of the file, without its suffix
 * @property {Piece} piece        the window that was chosen; `piece.z` is its posterior mean
 * @property {string} place       "track 1 (Melody), bars 5-6"
 * @property {{parts: number[], label: string, bars: number[]}[]} choices  all windows it has:
 *   `parts` are track numbers (1-based), one for each voice of the model, `bars` where they start
 * @property {number[]} parts     of the window that was chosen
 * @property {number} bar         1-based
 * @property {number} qpm         tempo there
 * @property {number[][]|null} hits  of a model that plays given hits: those of this window
 *
 * @typedef {object} Model
 * @property {() => Promise<Description>} describe   quick: needs no weights
 * @property {() => Promise<void>} ready             settles when the weights are loaded
 * @property {(index: number) => Promise<{name: string, bytes: Uint8Array}>} corner
 *   the bytes of `describe().corners[index]`
 * @property {(file: {name: string, bytes: Uint8Array}, choice?: {parts?: number[], bar?: number})
 *   => Promise<Heard>} encode
 * @property {(points: number[][], options?: DecodeOptions) => Promise<Piece[]>} decode
 * @property {(corners: string[], size: number, seed: number) => Promise<Piece[]>} [between]
 *   tiles between two or four windows by their ids, row by row, chosen with care: this may take a
 *   second, and the page shows what `decode` gives until then
 * @property {(count: number, seed: number, options?: {chords?: string}) => Promise<number[][]>} draw
 *   points from the prior
 * @property {(title: string, bytes: Uint8Array) => Promise<{file: string, path: string}|null>} keep
 *   writes a MIDI file into `folder` at once; null where there is no disk
 *
 * @typedef {object} DecodeOptions
 * @property {number} [temperature]  0 takes the likeliest note of every step
 * @property {number} [seed]
 * @property {string} [chords]       "C Am F G", a bar each, for a model that is told of them
 * @property {number[][]|null} [hits]
 * @property {number} [program]      of melodies
 *
 * Every method rejects with a `ModelError`, whose message is shown to the user as it is.
 */

/** What went wrong, in words for the user; `offline` where the model cannot be reached for
 * now; `models` are others that could use the file. */
export class ModelError extends Error {
  constructor(message, { offline = false, models = [] } = {}) {
    super(message);
    this.name = "ModelError";
    this.offline = offline;
    this.models = models;
  }
}
