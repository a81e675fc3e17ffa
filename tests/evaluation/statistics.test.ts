import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { normalCdf, normalQuantile } from '../../src-main/evaluation/normal.ts'
import {
  bcaInterval,
  bootstrapInterval,
  mean,
  pairedPermutationTest,
  percentileInterval,
  quantile,
  standardDeviation,
} from '../../src-main/evaluation/statistics.ts'
import { Random } from '../../src-main/nn/random.ts'

/** scipy's values; statistics.py beside the file made them. */
const reference = JSON.parse(
  readFileSync(new URL('../fixtures/reference/statistics.json', import.meta.url), 'utf8'),
) as {
  normal: { z: number[]; cdf: number[]; p: number[]; quantile: number[] }
  bootstrap: Record<
    string,
    {
      sample: number[]
      confidence: number
      percentile: [number, number]
      BCa: [number, number]
      distribution: number[]
      many: { percentile: [number, number]; BCa: [number, number] }
    }
  >
  paired: { a: number[]; b: number[]; difference: number; p: number }[]
  sd: { values: number[]; mean: number; sd: number }
}

const relative = (value: number, expected: number) => Math.abs(value - expected) / Math.abs(expected || 1)

describe('the normal distribution', () => {
  const { z, cdf, p, quantile } = reference.normal

  it.each(z.map((value, i) => [value, cdf[i]]))('cdf of %d', (value, expected) => {
    expect(relative(normalCdf(value), expected)).toBeLessThan(1e-12)
  })

  it.each(p.map((value, i) => [value, quantile[i]]))('quantile at %d', (value, expected) => {
    expect(Math.abs(normalQuantile(value) - expected)).toBeLessThan(1e-12)
  })

  it('ends at infinity and knows no probability outside 0 to 1', () => {
    expect([normalQuantile(0), normalQuantile(1), normalQuantile(1.5), normalQuantile(-0.1)]).toEqual([
      -Infinity,
      Infinity,
      NaN,
      NaN,
    ])
  })
})

it('mean and standard deviation', () => {
  const { values, mean: expectedMean, sd } = reference.sd
  expect(mean(values)).toBeCloseTo(expectedMean, 12)
  expect(standardDeviation(values)).toBeCloseTo(sd, 12)
  expect(standardDeviation([3])).toBeNaN()
})

it('quantiles are linear between order statistics', () => {
  expect([0, 0.25, 0.5, 1].map((p) => quantile([1, 2, 4, 10], p))).toEqual([1, 1.75, 3, 10])
})

describe.each(Object.entries(reference.bootstrap))('bootstrap of the %s', (_, recorded) => {
  const { sample, confidence, distribution, many } = recorded
  const ascending = Float64Array.from(distribution).sort()
  const jackknife = sample.map((_, left) => mean(sample.filter((_, i) => i !== left)))

  it('gives the intervals of scipy from the same resamples', () => {
    const percentile = percentileInterval(ascending, confidence)
    const bca = bcaInterval(ascending, mean(sample), jackknife, confidence)
    for (const end of [0, 1]) {
      expect(percentile[end]).toBeCloseTo(recorded.percentile[end], 12)
      expect(bca[end]).toBeCloseTo(recorded.BCa[end], 10)
    }
  })

  it.each(['percentile', 'BCa'] as const)('of our own resamples agrees with 200,000 of scipy (%s)', (method) => {
    const spread = standardDeviation(sample) / Math.sqrt(sample.length)
    const own = bootstrapInterval(sample, mean, new Random(4), {
      method: method === 'BCa' ? 'bca' : 'percentile',
      confidence,
    })
    for (const end of [0, 1]) expect(Math.abs(own[end] - many[method][end])).toBeLessThan(0.1 * spread)
  })

  it('depends on the seed alone', () => {
    const of = (seed: number) =>
      bootstrapInterval(sample, mean, new Random(seed), { method: 'percentile', resamples: 99 })
    expect(of(1)).toEqual(of(1))
    expect(of(1)).not.toEqual(of(2))
  })
})

it('a sample without spread has no BCa interval', () => {
  const interval = bootstrapInterval([1, 1, 1], mean, new Random(1), { method: 'bca', resamples: 50 })
  expect(interval).toEqual([NaN, NaN])
})

describe('paired permutation test', () => {
  it.each(reference.paired.map((pair) => [pair.a.length, pair] as const))(
    'of %i pairs counts what scipy counts',
    (n, { a, b, difference, p }) => {
      const test = pairedPermutationTest(a, b, new Random(1), 2 ** n)
      expect(test.exact).toBe(true)
      expect(test.difference).toBeCloseTo(difference, 12)
      expect(test.p).toBeCloseTo(p, 12)
    },
  )

  it('by lot comes near the exact p and is never 0', () => {
    const { a, b, p } = reference.paired[2]
    const test = pairedPermutationTest(a, b, new Random(9), 9999)
    expect(test.exact).toBe(false)
    expect(Math.abs(test.p - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 9999) + 1e-4)
    const apart = pairedPermutationTest(new Array(40).fill(1), new Array(40).fill(0), new Random(9), 999)
    expect(apart.p).toBe(1 / 1000)
  })

  it('finds nothing between equal samples and refuses unpaired ones', () => {
    expect(pairedPermutationTest([1, 2, 3], [1, 2, 3], new Random(1)).p).toBe(1)
    expect(() => pairedPermutationTest([1, 2], [1], new Random(1))).toThrow(RangeError)
  })
})
