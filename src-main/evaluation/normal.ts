/** The standard normal distribution to double precision, which the BCa interval needs in its tails. */

function density(z: number): number {
  return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI)
}

/** P(Z > z) for z >= 0: the Taylor series about 0, beyond 2.5 Laplace's continued fraction (keeps relative precision). */
function upperTail(z: number): number {
  if (z > 2.5) {
    let fraction = z
    for (let k = 150; k > 0; k--) fraction = z + k / fraction
    return density(z) / fraction
  }
  let term = z
  let sum = z
  for (let k = 3; Math.abs(term) > 1e-17 * sum; k += 2) {
    term *= (z * z) / k
    sum += term
  }
  return 0.5 - density(z) * sum
}

/** P(Z <= z). */
export function normalCdf(z: number): number {
  if (Number.isNaN(z)) return NaN
  return z > 0 ? 1 - upperTail(z) : upperTail(-z)
}

/** z with P(Z <= z) = p; infinite at 0 and 1. */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p)
  if (p === 0) return -Infinity
  if (!(p > 0)) return NaN
  // The tail is convex, so Newton's steps from 0 approach the root from one side and never pass it.
  let z = 0
  for (let step = 1; step > 1e-15 * z; z += step) step = (upperTail(z) - p) / density(z)
  return -z
}
