import { element, icon } from "./dom.js";
import { isLocked } from "./locks.js";
import { DRUM_NAMES, isHeard, noteName, voiceOf } from "./voices.js";

const HEAD = 44; // pixels above the notes: bars and chords
const LABELS = 66; // pixels beside them
const SVG = "http://www.w3.org/2000/svg";
const BLACK = new Set([1, 3, 6, 8, 10]);
const SPAN = 13; // semitones that are shown at least
const DURATIONS = [[4, "a whole note"], [2, "a half note"], [1, "a quarter"], [0.5, "an eighth"], [0.25, "a sixteenth"]];

/** The notes of one window: bars, beats, chords, what is locked, and where the loop is. */
export class Roll {
  /**
   * @param {HTMLElement} holder
   * @param {{onNote: (note: object) => void, onBar: (bar: number) => void}} handlers
   */
  constructor(holder, handlers) {
    Object.assign(this, { holder, handlers });
    this.bars = element("div", { className: "roll-bars" });
    this.svg = svg("svg", { class: "roll-notes", tabindex: 0, role: "listbox", "aria-multiselectable": true });
    this.playhead = element("div", { className: "playhead", hidden: true });
    holder.append(this.bars, this.svg, this.playhead);
    this.active = -1;
    new ResizeObserver(() => this.#render()).observe(holder);
    this.svg.addEventListener("click", (event) => this.#clicked(event));
    this.svg.addEventListener("keydown", (event) => this.#key(event));
    this.svg.addEventListener("focus", () => this.#activate(Math.max(this.active, 0)));
    this.svg.addEventListener("blur", () => this.#activate(-1));
  }

  /** @param {{piece: object, facts: object, locks: object, colour: string, voices: object}} view */
  update(view) {
    if (this.view?.piece !== view.piece) this.active = -1;
    this.view = view;
    this.#render();
  }

  /** Put the line where the loop is, in quarters; null hides it. */
  at(quarters) {
    this.playhead.hidden = quarters === null || !this.view;
    if (quarters === null || !this.view) return;
    const x = LABELS + (quarters / this.view.facts.quarters) * this.width;
    this.playhead.style.transform = `translateX(${x}px)`;
    this.view.piece.notes.forEach((note, i) => {
      const sounds = note.start <= quarters && quarters < note.end;
      if (sounds === this.sounding.has(i)) return;
      if (sounds) this.sounding.add(i);
      else this.sounding.delete(i);
      this.nodes[i]?.classList.toggle("sounding", sounds);
    });
  }

  #render() {
    if (!this.view) return;
    const box = this.holder.getBoundingClientRect();
    this.width = Math.max(box.width - LABELS - 8, 40);
    this.height = Math.max(box.height - HEAD - 4, 60);
    const lanes = this.#lanes();
    this.svg.setAttribute("width", box.width);
    this.svg.setAttribute("height", this.height);
    this.svg.style.top = `${HEAD}px`;
    this.nodes = this.#notes(lanes);
    this.sounding = new Set();
    this.svg.replaceChildren(...this.#background(lanes), ...this.nodes);
    this.svg.setAttribute("aria-label", this.#summary());
    this.#head();
    if (document.activeElement === this.svg) this.#activate(this.active);
  }

  /** The rows: pitches from high to low, and below them the drums that there are. */
  #lanes() {
    const { piece } = this.view;
    const pitched = piece.notes.filter((note) => !piece.tracks[note.track]?.drum);
    const drums = piece.notes.filter((note) => piece.tracks[note.track]?.drum);
    const lanes = [];
    if (pitched.length || !drums.length) {
      const pitches = pitched.map((note) => note.pitch);
      let [low, high] = pitches.length ? usualRange(pitches) : [60, 72];
      const room = Math.max(SPAN - (high - low + 1), 2);
      low -= Math.ceil(room / 2);
      high += Math.floor(room / 2);
      for (let pitch = high; pitch >= low; pitch -= 1) lanes.push({ pitch, drum: false });
    }
    const kinds = [...new Set(drums.map((note) => note.pitch))].sort((a, b) => b - a);
    const share = lanes.length ? Math.min(0.4, kinds.length * 0.055) : 1; // of the height
    const weight = kinds.length ? (lanes.length * share) / (1 - share || 1) / kinds.length || 1 : 1;
    for (const pitch of kinds) lanes.push({ pitch, drum: true, weight });
    return this.#placed(lanes);
  }

  /** Lanes with their place: top and height in pixels. */
  #placed(lanes) {
    const total = lanes.reduce((sum, { weight = 1 }) => sum + weight, 0);
    let top = 0;
    return lanes.map(({ weight = 1, ...lane }) => {
      const height = (weight / total) * this.height;
      top += height;
      return { ...lane, top: top - height, height };
    });
  }

  #background(lanes) {
    const { facts } = this.view;
    const parts = lanes.map(({ pitch, drum, top, height }, i) =>
      svg("rect", {
        x: LABELS, y: top, width: this.width, height,
        class: !drum && BLACK.has(pitch % 12) ? "lane black" : drum && i % 2 ? "lane black" : "lane",
      }),
    );
    lanes.forEach(({ pitch, drum, top, height }) => {
      if (!drum && pitch % 12 && height < 15) return;
      if (!drum && BLACK.has(pitch % 12)) return;
      const words = drum ? (DRUM_NAMES[pitch] ?? String(pitch)) : noteName({ pitch });
      if (height < 7 && (drum || pitch % 12)) return;
      parts.push(svg("text", { x: LABELS - 7, y: top + height / 2, class: "lane-label" }, words));
    });
    const steps = Math.round(facts.quarters * 4);
    const beat = 16 / facts.denominator;
    const perBar = facts.quartersPerBar * 4;
    const dense = this.width / steps < 7;
    for (let step = 0; step <= steps; step += 1) {
      const kind = step % perBar === 0 ? "bar" : step % beat === 0 ? "beat" : "step";
      if (kind === "step" && dense) continue;
      const x = LABELS + (step / steps) * this.width;
      parts.push(svg("line", { x1: x, x2: x, y1: 0, y2: this.height, class: `grid ${kind}` }));
    }
    return parts;
  }

  #notes(lanes) {
    const { piece, facts, locks, colour, voices } = this.view;
    const rows = new Map(lanes.map((lane) => [`${lane.drum}:${lane.pitch}`, lane]));
    const [highest, lowest] = [lanes[0], lanes.findLast(({ drum }) => !drum) ?? lanes[0]];
    return piece.notes.map((note, index) => {
      const track = piece.tracks[note.track];
      const beyond = note.pitch > highest.pitch ? highest : lowest; // the few that are far off
      const lane = rows.get(`${Boolean(track?.drum)}:${note.pitch}`) ?? beyond;
      const locked = isLocked(note, locks, facts.quartersPerBar);
      const heard = isHeard(voiceOf(note, piece), voices);
      const x = LABELS + (note.start / facts.quarters) * this.width;
      const length = Math.max((Math.min(note.end, facts.quarters) - note.start) / facts.quarters, 0);
      const rect = svg("rect", {
        id: `note-${index}`, "data-index": index, role: "option", "aria-selected": locked,
        "aria-label": this.#describe(note, track),
        x: x + 0.5, y: lane.top + 1, rx: Math.min(3.5, lane.height / 3),
        width: Math.max(length * this.width - 1.5, 3), height: Math.max(lane.height - 2, 2),
        class: `note track-${note.track % 4}${locked ? " locked" : ""}${heard ? "" : " muted"}`,
        style: `--colour:${colour};--level:${(0.45 + (0.55 * note.velocity) / 127).toFixed(2)}`,
      });
      return rect;
    });
  }

  /** Bars, to be locked, and the chords. */
  #head() {
    const { piece, facts, locks } = this.view;
    const bars = Math.round(facts.quarters / facts.quartersPerBar);
    const nodes = [];
    for (let bar = 0; bar < bars; bar += 1) {
      const locked = locks.bars.has(bar);
      const button = element(
        "button",
        { type: "button", className: locked ? "bar-button locked" : "bar-button", title: locked ? "Unlock this bar" : "Lock this bar", onclick: () => this.handlers.onBar(bar) },
        element("span", {}, String(bar + 1)),
        icon("lock"),
      );
      button.setAttribute("aria-label", `Bar ${bar + 1}`);
      button.setAttribute("aria-pressed", locked);
      button.style.left = `${LABELS + (bar / bars) * this.width}px`;
      button.style.width = `${this.width / bars - 3}px`;
      nodes.push(button);
    }
    piece.chords.forEach(({ at, symbol }, i) => {
      const next = piece.chords[i + 1]?.at ?? facts.quarters;
      const room = ((next - at) / facts.quarters) * this.width;
      if (!symbol || at >= facts.quarters || room < 9 * symbol.length) return;
      const label = element("span", { className: "chord" }, symbol.replace("b", "♭").replace("#", "♯"));
      label.style.left = `${LABELS + (at / facts.quarters) * this.width}px`;
      label.style.maxWidth = `${room}px`;
      nodes.push(label);
    });
    this.bars.replaceChildren(...nodes);
  }

  #clicked(event) {
    const index = Number(event.target.dataset?.index);
    if (event.target.dataset?.index === undefined) return;
    this.active = index;
    this.handlers.onNote(this.view.piece.notes[index]);
  }

  #key(event) {
    const { notes } = this.view.piece;
    if (!notes.length) return;
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (event.key in steps) {
      this.#activate((this.active + steps[event.key] + notes.length) % notes.length);
    } else if (event.key === "Home") this.#activate(0);
    else if (event.key === "End") this.#activate(notes.length - 1);
    else if (event.key === "Enter" || event.key.toLowerCase() === "l") {
      this.handlers.onNote(notes[Math.max(this.active, 0)]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #activate(index) {
    this.svg.querySelector(".note.active")?.classList.remove("active");
    if (index >= 0) this.active = index;
    const node = index < 0 ? null : this.svg.querySelector(`#note-${index}`);
    node?.classList.add("active");
    if (node) this.svg.setAttribute("aria-activedescendant", node.id);
    else this.svg.removeAttribute("aria-activedescendant");
  }

  #describe(note, track) {
    const { facts } = this.view;
    const bar = Math.floor((note.start + 1e-6) / facts.quartersPerBar);
    const beat = ((note.start - bar * facts.quartersPerBar) * facts.denominator) / 4 + 1;
    const long = DURATIONS.find(([quarters]) => note.end - note.start >= quarters - 0.01);
    const length = track?.drum ? "" : `, ${long ? long[1] : "very short"}`;
    return `${noteName(note, track)}, bar ${bar + 1}, beat ${+beat.toFixed(2)}${length}`;
  }

  #summary() {
    const { piece, facts, locks } = this.view;
    const locked = piece.notes.filter((note) => isLocked(note, locks, facts.quartersPerBar)).length;
    const chords = piece.chords.map(({ symbol }) => symbol).filter(Boolean).join(", ");
    return `${piece.notes.length} notes, ${locked} locked${chords ? `; chords ${chords}` : ""}`;
  }
}


/** Lowest and highest pitch; of a wide range without the few notes that lie far off. */
function usualRange(pitches) {
  const sorted = [...pitches].sort((a, b) => a - b);
  const [low, high] = [sorted[0], sorted.at(-1)];
  if (high - low <= 40) return [low, high];
  const cut = Math.floor(sorted.length * 0.02);
  return [sorted[cut], sorted.at(-1 - cut)];
}

function svg(tag, attributes = {}, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** A small picture of a piece, as SVG text, for cards. */
export function thumbnail(piece, quarters, colour) {
  const pitches = piece.notes.map((note) => note.pitch);
  const [low, high] = pitches.length ? [Math.min(...pitches), Math.max(...pitches)] : [60, 72];
  const rows = Math.max(high - low + 1, 6);
  const rects = piece.notes.map((note) => {
    const [x, w] = [(note.start / quarters) * 100, ((note.end - note.start) / quarters) * 100];
    const y = ((high - note.pitch) / rows) * 30;
    const height = Math.max(30 / rows - 0.4, 1.2);
    return `<rect x="${x.toFixed(2)}" y="${y.toFixed(2)}" width="${Math.max(w - 0.5, 0.8).toFixed(2)}" height="${height.toFixed(2)}" rx=".6"/>`;
  });
  return `<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true" style="fill:${colour}">${rects.join("")}</svg>`;
}
