import { colourAt } from "./colour.js";
import { $, element, icon } from "./dom.js";
import { Roll } from "./roll.js";
import { INSTRUMENTS, voicesOf } from "./voices.js";

const ATTRIBUTES = {
  density: "Density", density_all: "Density, all", syncopation: "Off-beat 16ths", syncopation8: "Off-beat 8ths",
  diatonic: "In C major", interval: "Leaps", register: "Register", hihat: "Hi-hat", kick: "Kick", snare: "Snare",
  velocity: "Loudness", timing: "Timing", instruments: "Instruments",
};
const RANGE = 3; // of an attribute, to both sides

/** The notes of what is heard, what may stay, and what moves it. */
export class PieceView {
  constructor(app) {
    this.app = app;
    this.roll = new Roll($("#roll"), {
      onNote: (note) => app.toggleNote(note),
      onBar: (bar) => app.toggleBar(bar),
    });
    this.#tools();
  }

  #tools() {
    const { app } = this;
    const button = (name, label, words, onclick, className = "button") =>
      element("button", { type: "button", className, title: label, onclick }, icon(name), words);
    this.renew = button("spark", "New notes for what is not locked (N)", "New notes", () => app.renew(), "primary");
    this.renew.id = "renew";
    this.unlock = button("lock", "Unlock all", "Unlock all", () => app.unlockAll());
    this.keep = button("star", "Keep what you hear in the tray (K)", "Keep", () => app.keepInTray());
    this.keep.id = "keep";
    this.similarity = slider({
      label: "How near", min: 0, max: 1, step: 0.05, format: (value) => `${Math.round(value * 100)} %`,
      onInput: (value) => app.store.set({ similarity: value }, "similarity"),
    });
    this.similarity.node.classList.add("slider-inline");
    this.hint = element("span", { className: "file hint" });
    $("#piece-tools").append(this.renew, this.similarity.node, this.unlock, element("span", { className: "grow" }), this.keep);
  }

  /** The sliders that this model has. */
  build(app) {
    const { about } = app;
    this.sliders = new Map();
    const nodes = about.attributes.map(({ name, unit }) => {
      const made = slider({
        label: ATTRIBUTES[name] ?? name.replaceAll("_", " "), title: unit, min: -RANGE, max: RANGE, step: 0.25,
        format: (value) => (value > 0 ? `+${value}` : String(value)),
        onInput: (value) => app.store.set({ amounts: { ...app.state.amounts, [name]: value } }, `attribute ${name}`),
      });
      made.node.ondblclick = () => app.store.set({ amounts: { ...app.state.amounts, [name]: 0 } }, `attribute ${name}`);
      this.sliders.set(name, made);
      return made.node;
    });
    this.temperature = slider({
      label: "Temperature", title: "0 takes the likeliest notes; above, notes are drawn",
      min: 0, max: 1.5, step: 0.05, format: (value) => value.toFixed(2),
      onInput: (value) => app.store.set({ temperature: value }, "temperature"),
    });
    nodes.push(this.temperature.node);
    if (about.chords) nodes.push(this.#chords());
    else this.chords = null;
    if (about.hits) nodes.push(this.#hits());
    else this.hits = null;
    if (about.kind === "melody") nodes.push(this.#instruments());
    else this.program = null;
    $("#sliders").replaceChildren(...nodes);
  }

  #chords() {
    this.chords = element("input", { type: "text", placeholder: "C Am F G", title: "A chord a bar; empty: no chord" });
    this.chords.onchange = () => this.app.store.set({ chords: this.chords.value.trim() }, "chords");
    return labelled("Chords", this.chords);
  }

  #hits() {
    this.hits = element("input", { type: "checkbox" });
    this.hits.onchange = () => this.app.store.set({ keepHits: this.hits.checked }, "hits");
    const node = labelled("Play the hits of corner A", this.hits);
    node.classList.add("check");
    return node;
  }

  #instruments() {
    this.program = element("select", {}, ...INSTRUMENTS.map(([value, words]) => element("option", { value }, words)));
    this.program.onchange = () => this.app.store.set({ program: Number(this.program.value), override: null }, "program");
    return labelled("Instrument", this.program);
  }

  update(app) {
    const { state } = app;
    if (!state.corners.length) return;
    if (this.built !== app.about) {
      this.built = app.about;
      this.build(app);
    }
    const piece = app.current;
    const [x, y] = app.puckPlace;
    const title = state.override ? `${app.titleOf(null)}` : app.titleOf(state.puck);
    $("#piece-title").textContent = state.path.length && !state.override ? `A path of ${state.path.length} bars` : title;
    $("#piece-file").textContent = app.fileOf(piece)?.file ?? "";
    const voices = { ...app.player.voices };
    if (piece) this.roll.update({ piece, facts: app.factsOf(piece), locks: state.locks, colour: colourAt(x, y), voices });
    this.#voices(app, piece);
    const some = state.locks.notes.size + state.locks.bars.size > 0;
    this.unlock.hidden = !some;
    this.renew.lastChild.textContent = some ? "New notes for the rest" : "New notes";
    this.#values(state);
  }

  #values(state) {
    this.similarity.show(state.similarity);
    this.temperature.show(state.temperature);
    for (const [name, made] of this.sliders) made.show(state.amounts[name] ?? 0);
    if (this.chords && document.activeElement !== this.chords) this.chords.value = state.chords;
    if (this.hits) this.hits.checked = state.keepHits;
    if (this.program) this.program.value = state.program ?? nearestProgram(state.corners[0].piece.tracks[0]?.program ?? 0);
  }

  #voices(app, piece) {
    const names = piece ? voicesOf(piece) : [];
    const { muted, solo } = app.player.voices;
    const key = JSON.stringify([names, [...muted], [...solo]]);
    if (key === this.voicesShown) return;
    this.voicesShown = key;
    const toggle = (set, name) => {
      if (!set.delete(name)) set.add(name);
      this.voicesShown = null;
      app.player.sound?.silence();
      this.update(app);
    };
    const nodes = names.length < 2 ? [] : names.map((name) => {
      const button = (words, set, what) => {
        const node = element("button", { type: "button", title: what, onclick: () => toggle(set, name) }, words);
        node.setAttribute("aria-label", `${what} ${name}`);
        node.setAttribute("aria-pressed", set.has(name));
        return node;
      };
      return element("span", { className: "voice" }, element("span", {}, name), button("M", muted, "Mute"), button("S", solo, "Solo"));
    });
    $("#voices").replaceChildren(...nodes);
    $("#voices").hidden = !nodes.length;
  }

  at(mark) {
    this.roll.at(mark && mark.found?.piece === this.app.current ? mark.at % mark.found.quarters : null);
  }
}

function nearestProgram(program) {
  const known = INSTRUMENTS.map(([value]) => value).filter((value) => value <= program);
  return known.at(-1) ?? 0;
}

function labelled(words, control) {
  return element("label", { className: "slider" }, element("span", { className: "label" }, words), control);
}

/** A slider with its name and value. */
export function slider({ label, title, min, max, step, format, onInput }) {
  const input = element("input", { type: "range", min, max, step, title });
  input.setAttribute("aria-label", label);
  const value = element("span", { className: "value", "aria-hidden": "true" });
  const node = element("label", { className: "slider" }, element("span", { className: "label" }, element("span", {}, label), value), input);
  const show = (number) => {
    if (Number(input.value) !== number || !value.textContent) input.value = number;
    value.textContent = format(number);
    input.setAttribute("aria-valuetext", format(number));
    const share = (at) => `${((at - min) / (max - min)) * 100}%`;
    const zero = Math.max(min, 0);
    input.style.setProperty("--from", share(Math.min(number, zero)));
    input.style.setProperty("--to", share(Math.max(number, zero)));
    node.classList.toggle("changed", min < 0 && number !== 0);
  };
  input.oninput = () => {
    show(Number(input.value));
    onInput(Number(input.value));
  };
  return { node, input, show };
}

