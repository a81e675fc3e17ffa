import type { Random } from '../nn/random.ts'
import { normalCdf, normalQuantile } from './normal.ts'

export type Interval = [low: number, high: number]

export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}

/** Sample standard deviation (divides by n - 1), as in "mean ± SD over 5 seeds"; NaN for one value. */
export function standardDeviation(values: ArrayLike<number>): number {
  const centre = mean(values)
  let squares = 0
  for (let i = 0; i < values.length; i++) squares += (values[i] - centre) ** 2
  return values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : NaN
}

/** Quantile p of ascending values, linear between order statistics (numpy's default, Hyndman and Fan's type 7). */
export function quantile(ascending: ArrayLike<number>, p: number): number {
  const place = p * (ascending.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, ascending.length - 1)
  return ascending[below] + (place - below) * (ascending[above] - ascending[below])
}

/**
 * Ascending values of a statistic over resamples of 0..n-1 with replacement. What is resampled should be independent:
 * give images rather than trials when images are repeated.
 */
export function bootstrapDistribution(
  n: number,
  statistic: (indices: Int32Array) => number,
  random: Random,
  resamples: number,
): Float64Array {
  const indices = new Int32Array(n)
  return Float64Array.from({ length: resamples }, () => {
    for (let i = 0; i < n; i++) indices[i] = random.int(n)
    return statistic(indices)
  }).sort()
}

/** The middle `confidence` of an ascending bootstrap distribution. */
export function percentileInterval(ascending: Float64Array, confidence = 0.95): Interval {
  const tail = (1 - confidence) / 2
  return [quantile(ascending, tail), quantile(ascending, 1 - tail)]
}

/**
 * Bias-corrected and accelerated interval (Efron 1987) of an ascending bootstrap distribution.
 * `jackknife`: the statistic without observation i, for all i. NaN where the distribution has no spread.
 */
export function bcaInterval(
  ascending: Float64Array,
  estimate: number,
  jackknife: ArrayLike<number>,
  confidence = 0.95,
): Interval {
  let below = 0
  let equal = 0
  for (const value of ascending)
    if (value < estimate) below++
    else if (value === estimate) equal++
  const bias = normalQuantile((below + equal / 2) / ascending.length)

  const centre = mean(jackknife)
  let squares = 0
  let cubes = 0
  for (let i = 0; i < jackknife.length; i++) {
    const deviation = centre - jackknife[i]
    squares += deviation ** 2
    cubes += deviation ** 3
  }
  const acceleration = cubes / (6 * squares ** 1.5)

  const corrected = (p: number): number => {
    const z = bias + normalQuantile(p)
    return normalCdf(bias + z / (1 - acceleration * z))
  }
  const tail = (1 - confidence) / 2
  return [quantile(ascending, corrected(tail)), quantile(ascending, corrected(1 - tail))]
}

/** Seeded bootstrap interval of a statistic of `values`. */
export function bootstrapInterval(
  values: ArrayLike<number>,
  statistic: (sample: Float64Array) => number,
  random: Random,
  options: { method: 'percentile' | 'bca'; resamples?: number; confidence?: number },
): Interval {
  const { method, resamples = 9999, confidence = 0.95 } = options
  const n = values.length
  const sample = new Float64Array(n)
  const distribution = bootstrapDistribution(
    n,
    (indices) => {
      for (let i = 0; i < n; i++) sample[i] = values[indices[i]]
      return statistic(sample)
    },
    random,
    resamples,
  )
  if (method === 'percentile') return percentileInterval(distribution, confidence)
  const all = Float64Array.from(values)
  const jackknife = Array.from(all, (_, left) => statistic(all.filter((_, i) => i !== left)))
  return bcaInterval(distribution, statistic(all), jackknife, confidence)
}

export interface PermutationTest {
  /** Mean of a - b. */
  difference: number
  /** Two-sided. */
  p: number
  /** Whether all 2^n sign changes were counted. */
  exact: boolean
}

/**
 * Paired permutation (sign-flip) test of mean(a - b) = 0. All 2^n sign changes when they are no more than `resamples`;
 * otherwise that many at random, the observed one counted among them (so p is never 0).
 */
export function pairedPermutationTest(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  random: Random,
  resamples = 9999,
): PermutationTest {
  const n = a.length
  if (b.length !== n || n === 0) throw new RangeError(`paired values: ${n} and ${b.length}`)
  const differences = Float64Array.from({ length: n }, (_, i) => a[i] - b[i])
  const difference = mean(differences)
  // Sums of the same terms with other signs round differently; equal ones must count as equal.
  const threshold = Math.abs(difference) * n * (1 - 1e-12)
  const exact = n < 31 && 2 ** n <= resamples

  const rounds = exact ? 2 ** n : resamples
  let extreme = 0
  for (let round = 0; round < rounds; round++) {
    let sum = 0
    for (let i = 0; i < n; i++) {
      const flipped = exact ? (round >>> i) & 1 : random.int(2)
      sum += flipped ? -differences[i] : differences[i]
    }
    if (Math.abs(sum) >= threshold) extreme++
  }
  return { difference, p: exact ? extreme / rounds : (extreme + 1) / (rounds + 1), exact }
}
