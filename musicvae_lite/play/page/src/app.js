import { Cells, cornerCells, decodeOptions } from "./cells.js";
import { CORNER_NAMES } from "./colour.js";
import { announce, readableName, toast } from "./dom.js";
import { Keeper } from "./keeper.js";
import { along } from "./latent.js";
import { bestFit, keyOf } from "./locks.js";
import { Meter } from "./meter.js";
import { Player } from "./player.js";
import { midiFile } from "./smf.js";
import { Store } from "./store.js";

const CANDIDATES = 8; // of which the one that fits the locked notes best is taken
const FREE = () => ({ notes: new Set(), bars: new Set() });

/** What the page holds at first. */
const initialState = () => ({
  corners: [],
  size: 5,
  puck: 0,
  path: [],
  amounts: {},
  temperature: 0,
  similarity: 0.6,
  seed: 0, // of the tiles
  draws: 0, // how often new notes were asked for
  chords: "",
  keepHits: false,
  program: null,
  override: null, // a variation that is no tile of the pad
  locks: FREE(),
  tray: [],
  qpm: 120,
});

/** The chord of each bar, as a model that is told of chords is told. */
export function chordsOf(piece, { bars, quartersPerBar }) {
  const at = (bar) => piece.chords.findLast((chord) => chord.at <= bar * quartersPerBar + 1e-6);
  const symbols = Array.from({ length: bars }, (_, bar) => at(bar)?.symbol || "N.C.");
  return symbols.every((symbol) => symbol === "N.C.") ? "" : symbols.join(" ");
}

/** The page's music: its state, and all that can be done to it. The views only call and show. */
export class App {
  /** @param {import("./model.js").Model} model */
  constructor(model, { seed = 0 } = {}) {
    this.model = model;
    this.seed = seed;
    this.meter = new Meter();
    this.store = new Store(initialState());
    this.about = null;
    this.drawing = false;
    this.cornerCount = 0;
    this.cells = new Cells({
      meter: this.meter,
      onReady: () => this.#changed(),
      onError: (error) => this.fail(error),
    });
    this.keeper = new Keeper({
      meter: this.meter,
      model: () => this.model,
      onKept: () => this.#changed(),
      onError: (error) => this.fail(error),
    });
    this.player = new Player({
      choose: (bar) => this.#choose(bar),
      onHeard: (found, time) => this.#heard(found, time),
      onPosition: (mark) => this.onPosition(mark),
      onKey: (pitch, velocity) => this.onKey(pitch, velocity),
      onPorts: () => this.onPorts(),
    });
    this.views = new Set();
    this.onPosition = this.onKey = this.onPorts = () => {};
    this.store.subscribe((state, before) => this.#react(state, before));
  }

  get state() {
    return this.store.state;
  }

  /** Length and metre of a window. */
  get facts() {
    const { bars, numerator, denominator } = this.about;
    const quartersPerBar = (4 * numerator) / denominator;
    const compound = denominator === 8 && numerator % 3 === 0;
    const beat = compound ? 1.5 : 4 / denominator;
    return { bars, numerator, denominator, quartersPerBar, beat, quarters: bars * quartersPerBar };
  }

  /** The same of a piece: a path that was kept is longer than a window. */
  factsOf(piece) {
    const { facts } = this;
    const quarters = piece?.quarters ?? facts.quarters;
    return { ...facts, quarters, bars: Math.max(Math.round(quarters / facts.quartersPerBar), 1) };
  }

  get columns() {
    return this.state.size;
  }

  get rows() {
    return this.state.corners.length === 2 ? 1 : this.state.size;
  }

  /** Tiles along a side at first: fewer where a tile is long and takes its time. */
  usualSize(corners) {
    if (corners === 2) return this.about.bars > 4 ? 5 : 9;
    return this.about.bars > 4 ? 3 : 5;
  }

  middle(corners, size) {
    return corners === 2 ? Math.floor(size / 2) : Math.floor((size * size) / 2);
  }

  /** What is shown and played. */
  get current() {
    return this.state.override ?? this.cells.pieces[this.state.puck] ?? null;
  }

  /** Read what the model is, and fill the corners; `kept` are the user's own pieces. */
  async load(kept = []) {
    const about = await this.model.describe();
    const corners = await this.#firstCorners(kept, about);
    this.about = about;
    const qpm = Math.round(corners.reduce((sum, { qpm }) => sum + qpm, 0) / corners.length);
    const size = this.usualSize(corners.length);
    this.cells.clear();
    this.player.facts = this.facts;
    this.store.reset({
      ...initialState(),
      corners,
      size,
      puck: this.middle(corners.length, size),
      qpm: Math.min(Math.max(qpm || 120, 40), 240),
      tray: this.state.tray,
      seed: this.seed,
      chords: about.chords ? chordsOf(corners[0].piece, this.facts) : "",
    });
  }

  async #firstCorners(kept, about) {
    const own = await Promise.all(kept.map((file) => this.#hear(file).catch(() => null)));
    const found = own.filter(Boolean);
    if (found.length === 2 || found.length === 4) return found;
    const files = await Promise.all(about.corners.map((_, index) => this.model.corner(index)));
    const demos = await Promise.all(files.map((file) => this.#hear(file)));
    const corners = [...found, ...demos].slice(0, demos.length || 4);
    if (corners.length >= 2) return corners.slice(0, corners.length >= 4 ? 4 : 2);
    return this.#drawn(4, 1, "");
  }

  async #hear(file, choice) {
    const heard = await this.model.encode(file, choice);
    return { ...heard, file };
  }

  /** Corners from the prior. */
  async #drawn(count, seed, over = this.state.chords) {
    const chords = over || undefined;
    const points = await this.model.draw(count, seed, { chords });
    const pieces = await this.model.decode(points, { temperature: 0, seed, chords });
    return pieces.map((piece, i) => ({
      name: `new ${seed}${count > 1 ? `-${i + 1}` : ""}`,
      piece,
      place: "made up",
      choices: [],
      qpm: this.state.qpm,
      hits: null,
      id: `drawn|${seed}|${i}`,
    }));
  }

  #react(state, before) {
    if (state.qpm !== before.qpm) this.player.apply({ qpm: state.qpm });
    if (state.corners.length) this.cells.update(this.model, state, this.about);
    this.#changed();
  }

  #changed() {
    for (const view of this.views) view.update(this);
  }

  fail(error) {
    if (error.offline) this.#lost();
    else {
      const actions = (error.models ?? []).map((name) => ({
        label: `Open with ${name}`,
        run: () => this.switchModel(name, error.files ?? []),
      }));
      toast(error.message, { error: true, actions });
    }
  }

  async #lost() {
    if (this.offline) return;
    this.offline = true;
    document.body.classList.add("offline");
    await this.model.back?.();
    this.offline = false;
    document.body.classList.remove("offline");
    toast("Connected again.");
    this.cells.update(this.model, this.state, this.about);
  }

  // What sounds

  #choose(bar) {
    const { path, override, puck } = this.state;
    const walks = path.length && !override;
    const cell = walks ? path[bar % path.length] : override ? null : puck;
    const piece = walks ? this.cells.pieces[cell] : this.current;
    if (!piece) return null;
    const { bars, quartersPerBar, quarters } = this.factsOf(piece);
    return { piece, quarters, at: (bar % bars) * quartersPerBar, cell };
  }

  #heard(found, time) {
    if (this.movedAt) {
      const waited = performance.now() - this.movedAt;
      this.meter.add("move to notes", waited);
      this.meter.add("move to sound", waited + (time - this.player.sound.now) * 1000);
      this.movedAt = null;
    }
    this.keepFile(found.piece, found.cell);
  }

  /** Write a variation into the folder, as it is heard. */
  keepFile(piece, cell = null) {
    const title = this.titleOf(cell);
    this.keeper.keep(piece, this.state.qpm, title, () => this.midi(piece, title));
  }

  /** The file that a variation was written to, or null. */
  fileOf(piece) {
    return piece ? (this.keeper.files.get(Keeper.key(piece, this.state.qpm)) ?? null) : null;
  }

  midi(piece, title, { qpm, facts } = { qpm: this.state.qpm, facts: this.factsOf(piece) }) {
    return midiFile(piece, { title, qpm, ...facts });
  }

  async togglePlay() {
    try {
      if (this.player.playing) this.player.stop();
      else await this.player.start();
    } catch (error) {
      this.fail(error);
    }
    this.#changed();
  }

  // The pad

  movePuck(cell) {
    this.movedAt = this.player.playing ? performance.now() : null;
    this.store.set({ puck: cell, override: null, locks: FREE(), path: this.drawing ? this.state.path : [] }, "puck");
    if (!this.player.playing) announce(this.labelOf(cell));
  }

  setPath(path, { more = false } = {}) {
    this.store.set({ path, override: null, locks: FREE() }, `path ${path.join()}`);
    this.drawing = more;
    announce(path.length ? `Path of ${path.length} bars` : "No path");
    this.#changed();
  }

  setDrawing(drawing) {
    this.drawing = drawing;
    this.#changed();
  }

  setSize(size) {
    const { corners, puck } = this.state;
    const [columns, rows] = [this.columns, this.rows];
    const x = columns > 1 ? (puck % columns) / (columns - 1) : 0;
    const y = rows > 1 ? Math.floor(puck / columns) / (rows - 1) : 0;
    const row = corners.length === 2 ? 0 : Math.round(y * (size - 1));
    const cell = row * size + Math.round(x * (size - 1));
    this.store.set({ size, puck: cell, path: [], override: null, locks: FREE() }, "size");
  }

  /** Two or four corners. */
  async setCornerCount(count) {
    const { corners } = this.state;
    if (count === corners.length) return;
    try {
      const added = count > corners.length ? await this.#drawn(count - corners.length, this.state.seed + 40) : [];
      const all = [...corners, ...added].slice(0, count);
      this.#setCorners(all);
    } catch (error) {
      this.fail(error);
    }
  }

  #setCorners(corners, label = `corners ${performance.now()}`) {
    const same = corners.length === this.state.corners.length;
    const size = same ? this.state.size : this.usualSize(corners.length);
    const puck = same ? this.state.puck : this.middle(corners.length, size);
    this.store.set({ corners, size, puck, path: same ? this.state.path : [], override: null, locks: FREE() }, label);
  }

  /** Files that were dropped, on a corner or anywhere. */
  async drop(files, corner = null) {
    const { corners } = this.state;
    if (files.length > 4) {
      toast(`A pad has two or four corners; ${files.length} files were dropped.`, { error: true });
      return;
    }
    const read = await Promise.all(
      files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })),
    );
    try {
      const heard = [];
      for (const file of read) heard.push({ ...(await this.#hear(file)), own: true });
      const whole = heard.length === 4 || (heard.length === 2 && corner === null);
      if (whole) this.#setCorners(heard);
      else {
        const first = corner ?? this.nextCorner ?? 0;
        const all = [...corners];
        heard.forEach((one, i) => (all[(first + i) % all.length] = one));
        this.nextCorner = (first + heard.length) % all.length;
        this.#setCorners(all);
      }
      announce(`${heard.map(({ name }) => readableName(name)).join(", ")} on the pad`);
    } catch (error) {
      error.files = read;
      this.fail(error);
    }
  }

  /** Another window of the piece in a corner. */
  async chooseWindow(corner, parts, bar) {
    try {
      const heard = await this.#hear(this.state.corners[corner].file, { parts, bar });
      this.#setCorners(this.state.corners.map((one, i) => (i === corner ? heard : one)));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Something new in a corner. */
  async rollCorner(corner) {
    try {
      const seed = Math.floor(Math.random() * 1e6);
      const [fresh] = await this.#drawn(1, seed);
      this.#setCorners(this.state.corners.map((one, i) => (i === corner ? fresh : one)));
    } catch (error) {
      this.fail(error);
    }
  }

  /** A variation becomes a corner. */
  async pieceToCorner(corner, piece, name) {
    try {
      const heard = await this.#hear({ name: `${name}.mid`, bytes: this.midi(piece, name) });
      this.#setCorners(this.state.corners.map((one, i) => (i === corner ? heard : one)));
    } catch (error) {
      this.fail(error);
    }
  }

  // Notes that stay, and others in place of the rest

  toggleNote(note) {
    const notes = new Set(this.state.locks.notes);
    if (!notes.delete(keyOf(note))) notes.add(keyOf(note));
    this.#lock({ ...this.state.locks, notes });
  }

  toggleBar(bar) {
    const bars = new Set(this.state.locks.bars);
    if (!bars.delete(bar)) bars.add(bar);
    this.#lock({ ...this.state.locks, bars });
  }

  unlockAll() {
    this.#lock(FREE());
  }

  #lock(locks) {
    // What is locked is this variation: the puck may pass by without taking it along.
    this.store.set({ locks, override: this.current }, "lock");
  }

  /** New notes in place of those that are not locked, near what is there. */
  async renew() {
    const piece = this.current;
    if (!piece || this.renewing) return;
    this.renewing = true;
    const { similarity, temperature, locks } = this.state;
    const draws = this.state.draws + 1;
    const seed = this.state.seed + draws;
    try {
      const chords = this.state.chords || undefined;
      const fresh = await this.model.draw(CANDIDATES, seed, { chords });
      const points = fresh.map((draw) => along(draw, piece.z, similarity));
      const options = { ...decodeOptions(this.state), temperature: Math.max(temperature, 0.2), seed };
      const candidates = await this.model.decode(points, options);
      const merged = bestFit(piece, candidates, locks, this.facts.quartersPerBar);
      this.store.set({ override: { ...merged, z: piece.z }, draws, path: [] }, `renew ${draws}`);
      announce("New notes");
    } catch (error) {
      this.fail(error);
    } finally {
      this.renewing = false;
    }
  }

  // The tray

  keepInTray() {
    const { path, override } = this.state;
    const piece = path.length && !override ? this.#walked() : this.current;
    if (!piece) return;
    const title = path.length && !override ? `path ${path.length} bars` : this.titleOf(override ? null : this.state.puck);
    const id = `${Date.now()}-${this.state.tray.length}`;
    const [x, y] = this.puckPlace;
    const facts = this.factsOf(piece);
    const kept = { ...piece, quarters: facts.quarters };
    const entry = { id, title, piece: kept, qpm: this.state.qpm, place: [x, y], facts };
    this.store.set({ tray: [entry, ...this.state.tray] }, `tray ${id}`);
    this.keepFile(piece, override ? null : this.state.puck);
    announce(`${title} is kept`);
  }

  /** The whole path as one piece. */
  #walked() {
    const { path } = this.state;
    const { quartersPerBar, bars } = this.facts;
    const notes = [];
    const chords = [];
    path.forEach((cell, bar) => {
      const piece = this.cells.pieces[cell];
      const from = (bar % bars) * quartersPerBar;
      const shift = bar * quartersPerBar - from;
      for (const note of piece.notes) {
        if (note.start < from - 1e-6 || note.start >= from + quartersPerBar - 1e-6) continue;
        const end = Math.min(note.end, from + quartersPerBar);
        notes.push({ ...note, start: note.start + shift, end: end + shift });
      }
      for (const chord of piece.chords) {
        if (chord.at >= from && chord.at < from + quartersPerBar) {
          chords.push({ ...chord, at: chord.at + shift });
        }
      }
    });
    const first = this.cells.pieces[path[0]];
    return { ...first, notes, chords, quarters: path.length * quartersPerBar };
  }

  removeFromTray(id) {
    this.store.set({ tray: this.state.tray.filter((entry) => entry.id !== id) }, `remove ${id}`);
  }

  hearFromTray(entry) {
    this.store.set({ override: entry.piece, locks: FREE(), path: [], qpm: entry.qpm }, `hear ${entry.id}`);
  }

  // Names

  get puckPlace() {
    const { puck } = this.state;
    return [
      this.columns > 1 ? (puck % this.columns) / (this.columns - 1) : 0,
      this.rows > 1 ? Math.floor(puck / this.columns) / (this.rows - 1) : 0,
    ];
  }

  /** What a tile is, for a reader of the screen. */
  labelOf(cell) {
    const [column, row] = [cell % this.columns, Math.floor(cell / this.columns)];
    const at = cornerCells(this.state.corners.length, this.state.size).indexOf(cell);
    const place = this.rows > 1 ? `row ${row + 1}, column ${column + 1}` : `step ${column + 1} of ${this.columns}`;
    return at >= 0 ? `${place}, corner ${CORNER_NAMES[at]}, ${readableName(this.state.corners[at].name)}` : place;
  }

  /** The name of a file: the nearest corner and the place. */
  titleOf(cell) {
    const { corners } = this.state;
    if (cell === null) return `${readableName(this.#nearest(this.state.puck).name)} changed`;
    const [column, row] = [cell % this.columns, Math.floor(cell / this.columns)];
    if (corners.length === 2) {
      const percent = Math.round((column / (this.columns - 1)) * 100);
      return `${readableName(corners[0].name)} to ${readableName(corners[1].name)} ${percent}`;
    }
    return `${readableName(this.#nearest(cell).name)} ${row + 1}-${column + 1}`;
  }

  #nearest(cell) {
    const right = cell % this.columns >= this.columns / 2 ? 1 : 0;
    const below = Math.floor(cell / this.columns) >= this.rows / 2 && this.rows > 1 ? 2 : 0;
    return this.state.corners[right + below] ?? this.state.corners[0];
  }

  /** Another model; the user's own pieces come along where it can use them. */
  async switchModel(name, files = []) {
    const own = this.state.corners.filter(({ own: mine }) => mine).map(({ file }) => file);
    this.player.stop();
    this.model.model = name;
    document.body.classList.add("switching");
    try {
      await this.load(files.length ? files : own);
      this.onModel?.(name);
    } catch (error) {
      this.fail(error);
    } finally {
      document.body.classList.remove("switching");
    }
  }
}
