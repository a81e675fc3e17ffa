/** 4 x 4 matrices of affine maps, 16 numbers row by row; the last row is (0, 0, 0, 1). */
export type Affine = readonly number[]

/** The map that applies `b` first, then `a`. */
export function multiplyAffines(a: Affine, b: Affine): number[] {
  const out = new Array<number>(16).fill(0)
  for (let i = 0; i < 4; i++)
    for (let j = 0; j < 4; j++) for (let k = 0; k < 4; k++) out[4 * i + j] += a[4 * i + k] * b[4 * k + j]
  return out
}

/** The inverse; undefined when the matrix squeezes space flat or holds what is not finite. */
export function invertAffine(m: Affine): number[] | undefined {
  const [a, b, c, x, d, e, f, y, g, h, i, z] = m
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g]
  const det = a * A + b * B + c * C
  if (!Number.isFinite(det) || Math.abs(det) < 1e-12) return undefined
  const rows = [
    [A, c * h - b * i, b * f - c * e],
    [B, a * i - c * g, c * d - a * f],
    [C, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / det))
  const shifted = rows.flatMap((row) => [...row, -(row[0] * x + row[1] * y + row[2] * z)])
  return shifted.every(Number.isFinite) ? [...shifted, 0, 0, 0, 1] : undefined
}

/** Moves points (n, 3) in place. */
export function movePoints(m: Affine, points: Float32Array | Float64Array): void {
  for (let p = 0; p < points.length; p += 3) {
    const [x, y, z] = [points[p], points[p + 1], points[p + 2]]
    for (let r = 0; r < 3; r++) points[p + r] = m[4 * r] * x + m[4 * r + 1] * y + m[4 * r + 2] * z + m[4 * r + 3]
  }
}
