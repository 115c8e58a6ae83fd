import { CORNER_NAMES, colourAt, cornerPlace } from "./colour.js";
import { $, chooseFiles, element, icon, iconButton, readableName } from "./dom.js";
import { Pad } from "./pad.js";

const SIZES = { 2: [5, 9, 13], 4: [3, 5, 7, 9] };
export const MIDI_FILES = ".mid,.midi,.kar,audio/midi";
const MAX_WINDOWS = 300;

/** The pad with its corners and tools. */
export class SpaceView {
  constructor(app) {
    this.app = app;
    this.pad = new Pad($("#pad"), {
      onPuck: (cell) => app.movePuck(cell),
      onPath: (cells, options) => app.setPath(cells, options),
      label: (cell) => (app.state.corners.length ? app.labelOf(cell) : ""),
    });
    this.#tools();
  }

  #tools() {
    const { app } = this;
    const button = (name, label, words, onclick) => {
      const node = element("button", { type: "button", className: "button", title: label, onclick }, icon(name), words);
      return node;
    };
    this.draw = button("path", "Draw a path over the tiles, which is walked a bar a tile", "Draw a path", () => app.setDrawing(!app.drawing));
    this.clear = button("close", "No path: the puck alone says what sounds", "Clear", () => app.setPath([]));
    this.size = element("select", { onchange: () => app.setSize(Number(this.size.value)) });
    this.count = element("select", { onchange: () => app.setCornerCount(Number(this.count.value)) },
      element("option", { value: 2 }, "2 corners"), element("option", { value: 4 }, "4 corners"));
    this.size.setAttribute("aria-label", "Tiles");
    this.count.setAttribute("aria-label", "Corners");
    $("#pad-tools").append(this.draw, this.clear, element("span", { className: "grow" }), this.count, this.size);
  }

  update(app) {
    const { corners, path, puck, size } = app.state;
    if (!corners.length) return;
    $("#music").classList.toggle("two", corners.length === 2);
    this.pad.update({
      columns: app.columns, rows: app.rows, quarters: app.facts.quarters, puck, path, drawing: app.drawing,
      pieces: app.cells.pieces.length === app.columns * app.rows ? app.cells.pieces : [],
    });
    if (!app.player.playing) this.pad.show(null);
    this.draw.setAttribute("aria-pressed", app.drawing);
    this.clear.hidden = !path.length;
    this.count.value = corners.length;
    const sizes = SIZES[corners.length];
    this.size.replaceChildren(...sizes.map((n) =>
      element("option", { value: n }, corners.length === 2 ? `${n} steps` : `${n} × ${n}`)));
    this.size.value = size;
    if (this.shown !== corners) {
      this.shown = corners;
      $("#corners-top").replaceChildren(...corners.slice(0, 2).map((one, i) => this.#corner(one, i)));
      $("#corners-bottom").replaceChildren(...corners.slice(2).map((one, i) => this.#corner(one, i + 2)));
    }
  }

  #corner(corner, index) {
    const { app } = this;
    const label = `Corner ${CORNER_NAMES[index]}`;
    const node = element("div", { className: "corner", role: "group", style: `--colour:${colourAt(...cornerPlace(index))}` });
    node.setAttribute("aria-label", `${label}: ${readableName(corner.name)}`);
    node.dataset.corner = index;
    const open = async () => {
      const files = await chooseFiles(MIDI_FILES, false);
      if (files.length) app.drop(files, index);
    };
    node.append(
      element("span", { className: "dot", "aria-hidden": "true" }, CORNER_NAMES[index]),
      element("span", { className: "name", title: corner.name }, readableName(corner.name)),
      element("span", { className: "tools" },
        iconButton("folder", `${label}: open a MIDI file`, open, { className: "icon-button bare" }),
        iconButton("dice", `${label}: make up something new`, () => app.rollCorner(index), { className: "icon-button bare" })),
      element("span", { className: "place" }, this.#windows(corner, index)),
    );
    return node;
  }

  /** The windows of a piece, to choose another. */
  #windows(corner, index) {
    const options = corner.choices.flatMap(({ parts, label, bars }) =>
      bars.map((bar) => ({ parts, bar, words: `${label}, bar ${bar}` })));
    if (options.length < 2) return element("span", {}, corner.place);
    const select = element("select", { title: "Which bars are used" });
    select.setAttribute("aria-label", `Corner ${CORNER_NAMES[index]}: which bars`);
    const shown = options.slice(0, MAX_WINDOWS);
    const chosen = ({ parts, bar }) => bar === corner.bar && String(parts) === String(corner.parts);
    if (!shown.some(chosen)) shown.unshift({ parts: corner.parts, bar: corner.bar, words: corner.place });
    select.append(...shown.map((option, i) => element("option", { value: i, selected: chosen(option) }, option.words)));
    select.onchange = () => {
      const { parts, bar } = shown[Number(select.value)];
      this.app.chooseWindow(index, parts, bar);
    };
    return select;
  }
}
