import type { Part, PartPictures } from './pictureParts.ts'
import { partNames } from './pictureParts.ts'

/** How the pictures of the parts become one: their weighted mean, then a contrast curve. */
export interface Blend {
  /** They sum to 1; 0 for a part that there is not. */
  weights: Record<Part, number>
  /** How much steeper than a straight line the curve is in its middle: 1 leaves pictures as they are. */
  gain: number
  /** The grey that the curve turns into 1/2. */
  middle: number
  /** Mean squared error on held-out training trials: of each part alone, of the weighted mean, and of the blend. */
  errors: Partial<Record<Part, number>> & { mean: number; blend: number }
}

/** Weights are multiples of 1/20. */
const SHARES = 20
const GAINS = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.15, 1.3, 1.5, 1.75, 2, 2.5, 3, 4]
const MIDDLES = [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7]

/** Greys closer to black or white than this are as far. */
const EDGE = 1e-3

const logit = (grey: number): number => Math.log(grey / (1 - grey))
const within = (grey: number): number => Math.min(1 - EDGE, Math.max(EDGE, grey))

function weightedMean(parts: PartPictures, weights: Blend['weights']): Float32Array {
  const out = new Float32Array(parts.low.length)
  for (const name of partNames) {
    const [pixels, weight] = [parts[name], weights[name]]
    if (pixels && weight) for (let i = 0; i < out.length; i++) out[i] += weight * pixels[i]
  }
  return out
}

/** σ(gain · (logit x − logit middle)): from 0 to 1, steepest at the middle. */
const curved = (pixels: Float32Array, { gain, middle }: Pick<Blend, 'gain' | 'middle'>): Float32Array =>
  pixels.map((x) => 1 / (1 + Math.exp(-gain * (logit(within(x)) - logit(middle)))))

/** The blended pictures, in [0, 1]. */
export const applyBlend = (blend: Blend, parts: PartPictures): Float32Array =>
  curved(weightedMean(parts, blend.weights), blend)

/** Every way to share 1 among the parts that there are. */
function* shares(parts: PartPictures): Generator<Blend['weights']> {
  for (let ridge = 0; ridge <= (parts.ridge ? SHARES : 0); ridge++)
    for (let low = 0; low + ridge <= SHARES; low++)
      yield { ridge: ridge / SHARES, low: low / SHARES, high: (SHARES - ridge - low) / SHARES }
}

function squaredError(pixels: Float32Array, seen: Float32Array): number {
  let sum = 0
  for (let i = 0; i < seen.length; i++) sum += (pixels[i] - seen[i]) ** 2
  return sum / seen.length
}

/** The candidate with the least error, and that error. */
function least<T>(candidates: Iterable<T>, errorOf: (candidate: T) => number): { best: T; error: number } {
  let [best, error] = [undefined as T | undefined, Infinity]
  for (const candidate of candidates) {
    const own = errorOf(candidate)
    if (own < error) [best, error] = [candidate, own]
  }
  return { best: best!, error }
}

/**
 * Chooses the weights, then the curve, with the least squared error. `parts`: pictures of held-out training trials; `seen`: the true ones, in
 * [0, 1] and of the same shape.
 */
export function fitBlend(parts: PartPictures, seen: Float32Array): Blend {
  const { best: weights, error: mean } = least(shares(parts), errorOfWeights(parts, seen))
  const pixels = weightedMean(parts, weights)
  const curves = GAINS.flatMap((gain) => MIDDLES.map((middle) => ({ gain, middle })))
  const { best: curve, error: blend } = least(curves, (each) => squaredError(curved(pixels, each), seen))
  const alone = partNames.flatMap((name) => (parts[name] ? [[name, squaredError(parts[name], seen)] as const] : []))
  return { weights, ...curve, errors: { ...Object.fromEntries(alone), mean, blend } }
}

/** The error of a weighted mean from the products of the parts' errors with each other, so that hundreds of weights cost nothing. */
function errorOfWeights(parts: PartPictures, seen: Float32Array): (weights: Blend['weights']) => number {
  const present = partNames.filter((name) => parts[name])
  const product = (a: Float32Array, b: Float32Array) => {
    let sum = 0
    for (let i = 0; i < seen.length; i++) sum += (a[i] - seen[i]) * (b[i] - seen[i])
    return sum / seen.length
  }
  const products = present.map((a) => present.map((b) => product(parts[a]!, parts[b]!)))
  return (weights) => {
    let error = 0
    present.forEach((a, i) => present.forEach((b, j) => (error += weights[a] * weights[b] * products[i][j])))
    return error
  }
}
