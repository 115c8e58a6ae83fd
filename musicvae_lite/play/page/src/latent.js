/**
 * Points between points, as `musicvae_lite/core/latent.py` computes them (in float64).
 */

const PARALLEL = 1e-4; // sine below which a great circle is not defined

const length = (a) => Math.hypot(...a);
const mix = (a, b, t) => a.map((value, i) => (1 - t) * value + t * b[i]);

/** The point at fraction `t` of the great circle from `a` to `b`; at 0 and 1 the ends exactly. */
export function along(a, b, t) {
  if (t === 0) return [...a];
  if (t === 1) return [...b];
  const [lengthA, lengthB] = [length(a), length(b)];
  if (!(lengthA > 0) || !(lengthB > 0)) return mix(a, b, t);
  const [unitA, unitB] = [a.map((v) => v / lengthA), b.map((v) => v / lengthB)];
  const apart = length(unitA.map((v, i) => v - unitB[i]));
  const together = length(unitA.map((v, i) => v + unitB[i]));
  const angle = 2 * Math.atan2(apart, together);
  if (!(Math.sin(angle) > PARALLEL)) return mix(a, b, t);
  const [first, second] = [Math.sin((1 - t) * angle), Math.sin(t * angle)];
  const scale = ((1 - t) * lengthA + t * lengthB) / Math.sin(angle);
  return unitA.map((v, i) => (first * v + second * unitB[i]) * scale);
}

/** `steps` points from `a` to `b`, both included. */
export function path(a, b, steps) {
  if (steps === 1) return [[...a]];
  return Array.from({ length: steps }, (_, i) => along(a, b, i / (steps - 1)));
}

/** Points between corners, row by row: of two corners a path, of four a square of `size` a side. */
export function between(corners, size) {
  if (corners.length === 2) return path(corners[0], corners[1], size);
  const left = path(corners[0], corners[2], size);
  const right = path(corners[1], corners[3], size);
  return left.flatMap((start, row) => path(start, right[row], size));
}

/** A point moved along attribute directions; `amounts` are by name. */
export function moved(point, attributes, amounts) {
  const result = [...point];
  for (const { name, vector } of attributes) {
    const amount = amounts[name] ?? 0;
    if (amount) vector.forEach((value, i) => (result[i] += amount * value));
  }
  return result;
}
