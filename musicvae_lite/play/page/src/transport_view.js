import { $, element, icon, iconButton, toast } from "./dom.js";

const [SLOWEST, FASTEST] = [30, 300];

/** Play, tempo, metronome, volume, MIDI ports. */
export class TransportView {
  constructor(app) {
    this.app = app;
    const { player } = app;
    this.play = element("button", { type: "button", id: "play", className: "play-button", onclick: () => app.togglePlay() });
    this.position = element("span", { className: "position", "aria-hidden": "true" }, "1.1");
    this.level = element("i");
    this.qpm = element("input", { type: "number", id: "qpm", min: SLOWEST, max: FASTEST, step: 1 });
    this.qpm.onchange = () => this.#tempo();
    this.metronome = iconButton("metronome", "Metronome (M)", () => this.toggleMetronome());
    this.metronome.setAttribute("aria-pressed", false);
    this.when = element("select", { onchange: () => (player.switchAt = this.when.value) },
      element("option", { value: "sixteenth" }, "the next sixteenth"), element("option", { value: "bar" }, "the next bar"));
    this.volume = element("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0.8 });
    this.volume.setAttribute("aria-label", "Volume");
    this.volume.style.setProperty("--to", "80%");
    this.volume.oninput = () => {
      player.apply({ volume: Number(this.volume.value) });
      this.volume.style.setProperty("--to", `${this.volume.value * 100}%`);
    };
    $("#transport-main").append(this.play, this.position,
      element("label", {}, "Tempo", this.qpm), this.metronome,
      element("label", { className: "wide" }, "Change at", this.when));
    this.#ports();
    $("#transport-rest").append(this.midi, this.ports, element("label", { className: "volume" }, icon("volume"), this.volume),
      element("span", { className: "level", "aria-hidden": "true" }, this.level));
    app.onPorts = () => this.#listPorts();
    app.onKey = (pitch, velocity) => this.#key(pitch, velocity);
  }

  #tempo() {
    const qpm = Math.min(Math.max(Number(this.qpm.value) || 120, SLOWEST), FASTEST);
    this.app.store.set({ qpm }, "tempo");
    this.qpm.value = qpm;
  }

  toggleMetronome() {
    const on = this.metronome.getAttribute("aria-pressed") !== "true";
    this.metronome.setAttribute("aria-pressed", on);
    this.app.player.apply({ metronome: on });
  }

  #ports() {
    const { player } = this.app;
    this.midi = element("button", { type: "button", className: "button", title: "MIDI ports: out to a DAW, in from a keyboard", onclick: () => this.#open() }, icon("keys"), element("span", { className: "wide" }, "MIDI"));
    this.out = element("select", { onchange: () => player.ports.chooseOutput(this.out.value) });
    this.out.setAttribute("aria-label", "MIDI out");
    this.in = element("select", { onchange: () => player.ports.chooseInput(this.in.value) });
    this.in.setAttribute("aria-label", "MIDI in");
    this.record = iconButton("record", "Record one loop from the keyboard into corner A", () => this.#record());
    this.ports = element("span", { className: "transport-main", hidden: true }, this.out, this.in, this.record);
  }

  async #open() {
    try {
      await this.app.player.open();
      await this.app.player.ports.open();
      this.ports.hidden = false;
      this.midi.hidden = true;
    } catch (error) {
      toast(error.message, { error: true });
    }
  }

  #listPorts() {
    const { ports } = this.app.player;
    const fill = (select, list, none, chosen) => {
      select.replaceChildren(element("option", { value: "" }, none), ...list.map(({ id, name }) => element("option", { value: id }, name)));
      select.value = chosen?.id ?? "";
    };
    fill(this.out, ports.outputs, "Out: this page", ports.output);
    fill(this.in, ports.inputs, "In: none", ports.input);
  }

  /** A key of the keyboard sounds, and is written down while recording. */
  #key(pitch, velocity) {
    const { player, state, current } = this.app;
    const track = current?.tracks[0] ?? { program: 0, drum: false };
    player.sound?.key(pitch, velocity, state.program ?? track.program, track.drum);
    const at = this.take ? player.scheduler.position() - this.take.from : -1;
    if (at < -0.25) return;
    if (velocity) this.take.open.set(pitch, { pitch, velocity, track: 0, start: Math.max(at, 0) });
    else {
      const note = this.take.open.get(pitch);
      if (note) this.take.notes.push({ ...note, end: Math.max(at, note.start + 0.1) });
      this.take.open.delete(pitch);
    }
  }

  /** Record what is played in the next loop, over the metronome. */
  async #record() {
    const { app } = this;
    const { quarters } = app.facts;
    if (this.take) return;
    if (this.metronome.getAttribute("aria-pressed") !== "true") this.toggleMetronome();
    if (!app.player.playing) await app.togglePlay();
    const from = Math.ceil(app.player.scheduler.position() / quarters) * quarters;
    this.take = { from, notes: [], open: new Map() };
    this.record.setAttribute("aria-pressed", true);
    toast("Recording starts with the next loop.");
    const wait = ((from + quarters - app.player.scheduler.position()) * 60_000) / app.state.qpm;
    setTimeout(() => this.#recorded(), wait + 150);
  }

  #recorded() {
    const { app, take } = this;
    for (const note of take.open.values()) take.notes.push({ ...note, end: app.facts.quarters });
    this.take = null;
    this.record.setAttribute("aria-pressed", false);
    const notes = take.notes.filter((note) => note.start < app.facts.quarters);
    if (!notes.length) {
      toast("Nothing was played.", { error: true });
      return;
    }
    const tracks = [{ ...(app.current?.tracks[0] ?? { program: 0, drum: false }), name: "Recorded" }];
    app.pieceToCorner(0, { tracks, notes, chords: [], z: [] }, "recorded");
  }

  update(app) {
    const { playing } = app.player;
    if (this.shown !== playing) {
      this.shown = playing;
      this.play.replaceChildren(icon(playing ? "stop" : "play"));
      this.play.setAttribute("aria-label", playing ? "Stop" : "Play");
      this.play.title = `${playing ? "Stop" : "Play"} (Space)`;
    }
    if (document.activeElement !== this.qpm) this.qpm.value = app.state.qpm;
  }

  at(mark) {
    const { facts, player } = this.app;
    if (!mark) {
      this.position.textContent = "1.1";
      this.level.style.height = "0";
      return;
    }
    const inBar = mark.at % facts.quartersPerBar;
    this.position.textContent = `${Math.floor(mark.at / facts.quartersPerBar) + 1}.${Math.floor(inBar / facts.beat) + 1}`;
    this.level.style.height = `${Math.min(player.sound.level * 260, 100)}%`;
  }
}

