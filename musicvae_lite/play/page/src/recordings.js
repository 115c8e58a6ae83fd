import { Comparison } from "./compare.js";
import { announce, chooseFiles, element, icon, toast } from "./dom.js";
import { slider } from "./piece_view.js";
import { levelsOf, paint } from "./spectrogram.js";

const ACCEPT = ".wav,.flac,.ogg,.oga,.aif,.aiff,.w64,.caf,.mp3,audio/*";
const LISTEN = [["before", "Before", "1"], ["after", "Cleaned", "2"], ["residue", "Taken away", "3"]];
const SHORTEST = 0.2; // seconds of noise that can be marked

const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;

/** The page of recordings: what a denoiser does to one, heard and seen side by side. */
export class RecordingsPage {
  constructor(holder, model) {
    Object.assign(this, { holder, model });
    this.recording = null;
    this.marked = null;
    this.#build();
  }

  #build() {
    const choose = async () => {
      const [file] = await chooseFiles(ACCEPT, false);
      if (file) this.open(file);
    };
    this.zone = element("section", { className: "panel drop-zone" },
      element("h1", {}, "Clean a recording"),
      element("p", { className: "facts" }, "Drop a noisy recording of music here (WAV, FLAC, Ogg, AIFF or MP3, up to a quarter of an hour)."),
      element("button", { type: "button", className: "primary", onclick: choose }, icon("folder"), "Open a recording"));
    this.views = ["before", "after"].map((what) => this.#spectrogram(what));
    this.tools = element("section", { className: "panel", hidden: true });
    this.tools.append(this.#head(choose), element("div", { className: "spectrograms" }, ...this.views.map(({ node }) => node)), this.#bar(), this.#more());
    this.holder.append(this.zone, this.tools);
    addEventListener("keydown", (event) => this.#key(event));
  }

  #head(choose) {
    this.name = element("h1", {}, "");
    this.facts = element("span", { className: "facts" });
    return element("div", { className: "piece-head" }, this.name, this.facts, element("span", { className: "grow" }),
      element("button", { type: "button", className: "button", onclick: choose }, icon("folder"), "Open another"));
  }

  #spectrogram(what) {
    const canvas = element("canvas", { tabIndex: what === "before" ? 0 : -1 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", what === "before" ? "Spectrogram of the recording" : "Spectrogram of what is left");
    const cursor = element("div", { className: "cursor" });
    const mark = element("div", { className: "marked", hidden: true });
    const node = element("div", { className: "spectrogram" }, element("span", { className: "caption" }, what === "before" ? "Before" : "Cleaned"), canvas, cursor, mark);
    this.#drag(canvas);
    return { node, canvas, cursor, mark };
  }

  /** A click goes to a place; a stretch that is dragged over can be marked as noise. */
  #drag(canvas) {
    const at = (event) => {
      const { left, width } = canvas.getBoundingClientRect();
      return (Math.min(Math.max(event.clientX - left, 0), width) / width) * this.sound.duration;
    };
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      from = at(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from === null || Math.abs(at(event) - from) < 0.05) return;
      this.#mark([Math.min(from, at(event)), Math.max(from, at(event))]);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (from !== null && Math.abs(at(event) - from) < 0.05) this.sound.seek(from);
      from = null;
      this.#cursor();
    });
  }

  #bar() {
    this.play = element("button", { type: "button", className: "play-button", onclick: () => this.toggle() }, icon("play"));
    this.play.setAttribute("aria-label", "Play");
    this.time = element("span", { className: "position" }, "0:00.0");
    this.buttons = LISTEN.map(([what, words, key]) => {
      const node = element("button", { type: "button", role: "radio", title: `${words} (${key})`, onclick: () => this.listen(what) }, words);
      node.setAttribute("aria-checked", what === "after");
      return [what, node];
    });
    const group = element("div", { className: "listen", role: "radiogroup" }, ...this.buttons.map(([, node]) => node));
    group.setAttribute("aria-label", "What is heard");
    this.strength = slider({
      label: "Strength", min: 0, max: 1, step: 0.01, format: (value) => `${Math.round(value * 100)} %`,
      onInput: (value) => this.sound.setStrength(value),
    });
    this.strength.show(1);
    this.save = element("button", { type: "button", className: "primary", onclick: () => this.#save() }, icon("save"), "Save");
    return element("div", { className: "sound-bar" }, this.play, this.time, group, this.strength.node, element("span", { className: "grow" }), this.save);
  }

  #more() {
    this.from = element("input", { type: "number", min: 0, step: 0.1 });
    this.to = element("input", { type: "number", min: 0, step: 0.1 });
    for (const input of [this.from, this.to]) {
      input.onchange = () => this.#mark([Number(this.from.value), Number(this.to.value)]);
    }
    this.learn = element("button", { type: "button", className: "button", onclick: () => this.#clean(this.marked) }, "This is noise alone");
    this.learn.disabled = true;
    this.forget = element("button", { type: "button", className: "button", hidden: true, onclick: () => this.#clean(null) }, "Forget it");
    const hint = element("span", { className: "facts" }, "Noise alone: drag over it in a picture, or");
    return element("div", { className: "sound-bar" }, hint,
      element("label", {}, "from", this.from), element("label", {}, "to", this.to, "seconds"), this.learn, this.forget);
  }

  /** Read a file that was dropped or chosen. */
  async open(file) {
    this.stop();
    this.holder.classList.add("busy");
    announce(`Reading ${file.name}`);
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const recording = await this.model.openRecording(file.name, bytes);
      this.recording = recording;
      await this.#show(recording);
      this.zone.hidden = true;
      this.tools.hidden = false;
    } catch (error) {
      toast(error.message, { error: true });
    } finally {
      this.holder.classList.remove("busy");
    }
  }

  async #show(recording) {
    const { id, name, width, height } = recording;
    this.name.textContent = name;
    const channels = recording.channels === 1 ? "mono" : recording.channels === 2 ? "stereo" : `${recording.channels} channels`;
    this.facts.textContent = `${clock(recording.seconds)}, ${(recording.rate / 1000).toFixed(1)} kHz, ${channels}; noise at ${recording.noise.toFixed(1)} dBFS`;
    this.views.forEach(({ canvas }, i) => paint(canvas, levelsOf(i ? recording.after : recording.before), width, height));
    this.sound ??= new Comparison();
    const [before, after] = await Promise.all([this.model.sound(id, "before"), this.model.sound(id, "after")]);
    await this.sound.load(before, after);
    this.sound.setStrength(Number(this.strength.input.value));
    if (recording.warning) toast(recording.warning);
    this.#cursor();
  }

  async #clean(profile) {
    if (profile && profile[1] - profile[0] < SHORTEST) {
      toast(`Mark ${SHORTEST} s of noise or more.`, { error: true });
      return;
    }
    this.holder.classList.add("busy");
    try {
      const told = await this.model.clean(this.recording.id, { profile });
      Object.assign(this.recording, told);
      await this.#show(this.recording);
      this.forget.hidden = !profile;
      if (!profile) this.#mark(null);
      announce("Cleaned again");
    } catch (error) {
      toast(error.message, { error: true });
    } finally {
      this.holder.classList.remove("busy");
    }
  }

  async #save() {
    try {
      const { file, path } = await this.model.saveRecording(this.recording.id, { strength: Number(this.strength.input.value) });
      toast(`Saved: ${path ?? file}`);
    } catch (error) {
      toast(error.message, { error: true });
    }
  }

  #mark(stretch) {
    const duration = this.sound.duration || 1;
    const valid = stretch && stretch[1] > stretch[0];
    this.marked = valid ? [Math.max(stretch[0], 0), Math.min(stretch[1], duration)] : null;
    for (const { mark } of this.views) {
      mark.hidden = !valid;
      if (!valid) continue;
      mark.style.left = `${(this.marked[0] / duration) * 100}%`;
      mark.style.width = `${((this.marked[1] - this.marked[0]) / duration) * 100}%`;
    }
    this.learn.disabled = !valid;
    if (!valid) return;
    this.from.value = this.marked[0].toFixed(2);
    this.to.value = this.marked[1].toFixed(2);
  }

  listen(what) {
    this.sound.listen(what);
    for (const [name, node] of this.buttons) node.setAttribute("aria-checked", name === what);
  }

  toggle() {
    if (this.sound.playing) this.stop();
    else {
      this.sound.play();
      this.play.replaceChildren(icon("stop"));
      this.play.setAttribute("aria-label", "Stop");
      this.#follow();
    }
  }

  stop() {
    this.sound?.stop();
    this.play.replaceChildren(icon("play"));
    this.play.setAttribute("aria-label", "Play");
  }

  #follow() {
    if (!this.sound.playing) return;
    this.#cursor();
    requestAnimationFrame(() => this.#follow());
  }

  #cursor() {
    const { position, duration } = this.sound;
    for (const { cursor } of this.views) cursor.style.left = `${(position / (duration || 1)) * 100}%`;
    this.time.textContent = clock(position);
  }

  #key(event) {
    if (this.holder.hidden || !this.recording || event.target.closest?.("input:not([type=range]), select")) return;
    if (event.key === " " && event.target.closest?.("button")) return;
    const jumps = { ArrowLeft: -1, ArrowRight: 1 };
    const onSlider = event.target.closest?.("input[type=range]");
    if (event.key === " ") this.toggle();
    else if (["1", "2", "3"].includes(event.key)) this.listen(LISTEN[Number(event.key) - 1][0]);
    else if (event.key in jumps && !onSlider) {
      this.sound.seek(Math.min(Math.max(this.sound.position + jumps[event.key], 0), this.sound.duration));
      this.#cursor();
    } else return;
    event.preventDefault();
  }
}
