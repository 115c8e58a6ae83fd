/** Levels as colours: dark for silence, over violet and orange to a light yellow. */
const STOPS = [
  [0, 4, 4, 12], [0.25, 51, 16, 88], [0.5, 140, 41, 109], [0.7, 222, 73, 76],
  [0.87, 251, 150, 60], [1, 252, 246, 190],
];

function palette() {
  const colours = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level += 1) {
    const value = level / 255;
    const next = STOPS.findIndex(([at]) => at >= value);
    const [a, b] = [STOPS[Math.max(next - 1, 0)], STOPS[next]];
    const share = b[0] > a[0] ? (value - a[0]) / (b[0] - a[0]) : 0;
    for (let i = 0; i < 3; i += 1) colours[level * 4 + i] = a[i + 1] + share * (b[i + 1] - a[i + 1]);
    colours[level * 4 + 3] = 255;
  }
  return colours;
}

const PALETTE = palette();

/** Bytes of a picture, a level each, from base64. */
export function levelsOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Paint levels [height, width] on a canvas of the same size. */
export function paint(canvas, levels, width, height) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < levels.length; i += 1) {
    image.data.set(PALETTE.subarray(levels[i] * 4, levels[i] * 4 + 4), i * 4);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
