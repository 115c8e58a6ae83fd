import { colourAt } from "./colour.js";
import { element } from "./dom.js";

const GAP = 5;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * The pad: tiles between two or four corners, a puck, and a path over them.
 *
 * The tiles are pictures of what they hold; the puck is a slider to keyboards and screen readers.
 */
export class Pad {
  /**
   * @param {HTMLElement} holder
   * @param {{onPuck: (cell: number, how: string) => void,
   *   onPath: (cells: number[], options?: {more: boolean}) => void,
   *   label: (cell: number) => string}} handlers
   */
  constructor(holder, handlers) {
    Object.assign(this, { holder, handlers });
    this.canvas = element("canvas", { className: "tiles" });
    this.canvas.setAttribute("aria-hidden", "true");
    this.puck = element("div", { className: "puck", tabIndex: 0, role: "slider" });
    this.puck.setAttribute("aria-label", "Place on the pad");
    holder.append(this.canvas, this.puck);
    this.state = { columns: 5, rows: 5, pieces: [], quarters: 8, puck: 0, path: [], drawing: false };
    this.here = null; // the cell that sounds, where a path is walked
    new ResizeObserver(() => this.#resize()).observe(holder);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.draw());
    this.#listen();
  }

  update(state) {
    this.state = { ...this.state, ...state };
    const { columns, rows, puck } = this.state;
    this.holder.style.setProperty("--ratio", rows === 1 ? "2 / 1" : "1 / 1");
    this.puck.setAttribute("aria-valuemin", 1);
    this.puck.setAttribute("aria-valuemax", columns * rows);
    this.puck.setAttribute("aria-valuenow", puck + 1);
    this.puck.setAttribute("aria-valuetext", this.handlers.label(puck));
    if (!this.dragging) this.#placePuck(...this.#centre(puck));
    this.draw();
  }

  /** Show which cell sounds. */
  show(cell) {
    if (cell === this.here) return;
    this.here = cell;
    this.draw();
  }

  place(cell) {
    const { columns, rows } = this.state;
    const [x, y] = [cell % columns, Math.floor(cell / columns)];
    return [columns > 1 ? x / (columns - 1) : 0, rows > 1 ? y / (rows - 1) : 0];
  }

  #listen() {
    this.holder.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      event.preventDefault();
      this.puck.focus({ preventScroll: true });
      this.holder.setPointerCapture(event.pointerId);
      this.dragging = true;
      this.stroke = [];
      this.#moved(event);
    });
    this.holder.addEventListener("pointermove", (event) => {
      if (this.dragging) this.#moved(event);
      else this.#hover(event);
    });
    const end = () => this.#released();
    this.holder.addEventListener("pointerup", end);
    this.holder.addEventListener("pointercancel", end);
    this.holder.addEventListener("pointerleave", () => this.#setHover(null));
    this.puck.addEventListener("keydown", (event) => this.#key(event));
  }

  #moved(event) {
    const { left, top, width, height } = this.holder.getBoundingClientRect();
    const x = Math.min(Math.max((event.clientX - left) / width, 0), 0.9999);
    const y = Math.min(Math.max((event.clientY - top) / height, 0), 0.9999);
    const { columns, rows, drawing } = this.state;
    const cell = Math.floor(y * rows) * columns + Math.floor(x * columns);
    this.#placePuck(x, y);
    if (drawing && this.stroke.at(-1) !== cell) {
      this.stroke.push(cell);
      this.draw();
    }
    if (cell !== this.state.puck) this.handlers.onPuck(cell, "drag");
  }

  #released() {
    if (!this.dragging) return;
    this.dragging = false;
    if (this.state.drawing && this.stroke.length > 1) this.handlers.onPath(this.stroke);
    this.stroke = [];
    this.#placePuck(...this.#centre(this.state.puck));
    this.draw();
  }

  #key(event) {
    const { columns, rows, puck } = this.state;
    let [x, y] = [puck % columns, Math.floor(puck / columns)];
    if (event.key in KEYS) {
      const [dx, dy] = KEYS[event.key];
      x = Math.min(Math.max(x + dx, 0), columns - 1);
      y = Math.min(Math.max(y + dy, 0), rows - 1);
    } else if (event.key === "Home") [x, y] = [0, 0];
    else if (event.key === "End") [x, y] = [columns - 1, rows - 1];
    else if (event.key === "Enter" && this.state.drawing) {
      this.handlers.onPath([...this.state.path, puck], { more: true });
      event.preventDefault();
      return;
    } else return;
    event.preventDefault();
    const cell = y * columns + x;
    if (cell !== puck) this.handlers.onPuck(cell, "key");
  }

  #hover(event) {
    const { left, top, width, height } = this.holder.getBoundingClientRect();
    const { columns, rows } = this.state;
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    const inside = x >= 0 && x < 1 && y >= 0 && y < 1;
    this.#setHover(inside ? Math.floor(y * rows) * columns + Math.floor(x * columns) : null);
  }

  #setHover(cell) {
    if (cell === this.hovered) return;
    this.hovered = cell;
    this.draw();
  }

  #centre(cell) {
    const { columns, rows } = this.state;
    return [((cell % columns) + 0.5) / columns, (Math.floor(cell / columns) + 0.5) / rows];
  }

  #placePuck(x, y) {
    this.puck.classList.toggle("free", Boolean(this.dragging));
    this.puck.style.left = `${x * 100}%`;
    this.puck.style.top = `${y * 100}%`;
    const { rows } = this.state;
    this.puck.style.setProperty("--colour", colourAt(x, rows > 1 ? y : 0));
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    const { width, height } = this.holder.getBoundingClientRect();
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.draw();
  }

  draw() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.#paint();
    });
  }

  #paint() {
    const { columns, rows, pieces } = this.state;
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    if (width < columns * GAP * 3 * ratio || height < rows * GAP * 3 * ratio) return; // hidden
    context.clearRect(0, 0, width, height);
    const range = pitchRange(pieces, this.state.quarters);
    for (let cell = 0; cell < columns * rows; cell += 1) {
      const box = {
        x: ((cell % columns) * width) / columns + (GAP * ratio) / 2,
        y: (Math.floor(cell / columns) * height) / rows + (GAP * ratio) / 2,
        w: width / columns - GAP * ratio,
        h: height / rows - GAP * ratio,
      };
      this.#tile(context, box, cell, ratio);
      if (pieces[cell]) this.#notes(context, box, cell, range);
    }
    this.#line(context, ratio);
  }

  #tile(context, box, cell, ratio) {
    const [x, y] = this.place(cell);
    const chosen = cell === (this.here ?? this.state.puck);
    context.beginPath();
    context.roundRect(box.x, box.y, box.w, box.h, Math.min(9 * ratio, box.w / 6));
    context.fillStyle = colourAt(x, y, chosen ? 0.34 : cell === this.hovered ? 0.24 : 0.13);
    context.fill();
    if (chosen) {
      context.lineWidth = 2 * ratio;
      context.strokeStyle = colourAt(x, y, 0.95);
      context.stroke();
    }
  }

  #notes(context, { x, y, w, h }, cell, { low, high, quarters }) {
    const piece = this.state.pieces[cell];
    const inner = { x: x + w * 0.08, y: y + h * 0.14, w: w * 0.84, h: h * 0.72 };
    const lane = inner.h / (high - low + 1);
    const chosen = cell === (this.here ?? this.state.puck);
    context.fillStyle = colourAt(...this.place(cell), chosen ? 1 : 0.72);
    for (const note of piece.notes) {
      const left = inner.x + (note.start / quarters) * inner.w;
      const length = Math.max(((note.end - note.start) / quarters) * inner.w * 0.92, 1.5);
      const top = inner.y + (high - note.pitch) * lane;
      context.fillRect(left, top, length, Math.max(lane * 0.82, 1.5));
    }
  }

  #line(context, ratio) {
    const cells = this.stroke?.length > 1 ? this.stroke : this.state.path;
    if (!cells?.length) return;
    const { width, height } = this.canvas;
    const points = cells.map((cell) => this.#centre(cell)).map(([x, y]) => [x * width, y * height]);
    context.lineJoin = context.lineCap = "round";
    context.lineWidth = 4 * ratio;
    context.strokeStyle = getComputedStyle(this.holder).getPropertyValue("--path-colour");
    context.beginPath();
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
    context.fillStyle = context.strokeStyle;
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, 4 * ratio, 0, 7);
      context.fill();
    }
  }
}

/** The pitches and the length that all tiles share, so that they can be compared. */
function pitchRange(pieces, quarters) {
  let [low, high] = [127, 0];
  for (const piece of pieces) {
    if (!piece) continue;
    for (const { pitch } of piece.notes) {
      low = Math.min(low, pitch);
      high = Math.max(high, pitch);
    }
  }
  return low > high ? { low: 60, high: 72, quarters } : { low, high, quarters };
}
