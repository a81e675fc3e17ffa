import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'
import { applyBlend, fitBlend } from '../../src-main/training/blend.ts'

const COUNT = 4000
const random = new Random(5)
const seen = Float32Array.from({ length: COUNT }, () => (random.uniform() < 0.5 ? 0.1 : 0.9))
/** The seen picture with noise of a given SD. */
const noisy = (sd: number, source = seen) => source.map((x) => x + sd * random.normal())

const meanSquare = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / a.length

describe('the blend of pictures', () => {
  it('weighs parts whose errors are independent by the inverse of their variance', () => {
    const { weights, errors } = fitBlend({ ridge: noisy(0.1), low: noisy(0.2), high: noisy(0.2) }, seen)
    // 1/.01 : 1/.04 : 1/.04 = 4 : 1 : 1, to the tenths in which weights are tried
    expect(weights.ridge).toBeCloseTo(2 / 3, 1)
    expect(weights.low + weights.ridge + weights.high).toBeCloseTo(1, 12)
    expect(errors.mean).toBeLessThan(errors.ridge!)
    expect(errors.ridge).toBeCloseTo(0.01, 3)
    expect(errors.low).toBeCloseTo(0.04, 3)
  })

  it('leaves out a part that only adds noise, and does without ridge regression', () => {
    const parts = { low: noisy(0.05), high: noisy(1) }
    const blend = fitBlend(parts, seen)
    expect(blend.weights).toEqual({ ridge: 0, low: 1, high: 0 })
    expect(blend.errors.ridge).toBeUndefined()
  })

  it('gives faded pictures their contrast back, about the right grey, and leaves right ones alone', () => {
    const faded = seen.map((x) => 0.4 + 0.4 * (x - 0.5) + 0.01 * random.normal())
    const blend = fitBlend({ low: faded, high: faded }, seen)
    expect(blend.gain).toBeGreaterThan(1.9)
    expect(blend.middle).toBeCloseTo(0.4, 6)
    const restored = applyBlend(blend, { low: faded, high: faded })
    expect(meanSquare(restored, seen)).toBeLessThan(0.05 * meanSquare(faded, seen))
    expect(meanSquare(restored, seen)).toBeCloseTo(blend.errors.blend, 6)
    expect(fitBlend({ low: seen, high: seen }, seen)).toMatchObject({ gain: 1, middle: 0.5 })
  })

  it('is σ(gain (logit of the weighted mean − logit of the middle)), whatever the range of the parts', () => {
    const parts = {
      ridge: Float32Array.of(-0.5, 0.3, 0.8, 1.7),
      low: Float32Array.of(0, 0.5, 0.6, 1),
      high: seen.slice(0, 4),
    }
    const blend = { weights: { ridge: 0.5, low: 0.5, high: 0 }, gain: 2, middle: 0.6, errors: { mean: 0, blend: 0 } }
    const expected = [0.001, 0.4, 0.7, 0.999].map((x) => {
      const odds = (x / (1 - x) / (0.6 / 0.4)) ** 2
      return odds / (1 + odds)
    })
    const blended = applyBlend(blend, parts)
    blended.forEach((x, i) => expect(x).toBeCloseTo(expected[i], 5))
    expect(Math.min(...blended)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...blended)).toBeLessThanOrEqual(1)
  })
})
