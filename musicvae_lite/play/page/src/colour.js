/** Each corner has a colour; what lies between has the colours' mixture, in Oklab. */

const CORNERS = {
  dark: [
    [0.74, 0.17, 32],
    [0.85, 0.15, 85],
    [0.8, 0.13, 175],
    [0.7, 0.17, 292],
  ],
  light: [
    [0.61, 0.2, 30],
    [0.7, 0.15, 72],
    [0.6, 0.11, 185],
    [0.54, 0.2, 292],
  ],
};

const LEAST_CHROMA = 0.085;

const theme = () => (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");

function lab([lightness, chroma, hue]) {
  const angle = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

/**
 * The colour at a place of the pad.
 *
 * @param {number} x  0 (left) to 1 (right)
 * @param {number} y  0 (top) to 1 (bottom); of two corners always 0
 */
export function colourAt(x, y, alpha = 1) {
  const corners = CORNERS[theme()].map(lab);
  const weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
  const [l, a, b] = [0, 1, 2].map((i) =>
    corners.reduce((sum, corner, k) => sum + weights[k] * corner[i], 0),
  );
  const chroma = Math.hypot(a, b);
  const vivid = chroma > 1e-4 ? Math.max(LEAST_CHROMA / chroma, 1) : 1; // a mixture is never grey
  return `oklab(${l.toFixed(4)} ${(a * vivid).toFixed(4)} ${(b * vivid).toFixed(4)} / ${alpha})`;
}

/** The place of a corner: A top left, B top right, C and D below. */
export const cornerPlace = (index) => [index % 2, Math.floor(index / 2)];

export const CORNER_NAMES = ["A", "B", "C", "D"];
