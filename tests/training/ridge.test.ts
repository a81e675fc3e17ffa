import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'
import { fitRidge, predictRidge, ridgeAlphas, type Samples } from '../../src-main/training/ridge.ts'

interface Recorded {
  n: number
  voxels: number
  targets: number
  groups: number[]
  x: number[]
  y: number[]
  new: number[]
  alpha: number[]
  weights: number[]
  intercept: number[]
  predicted: number[]
}

/** scikit-learn's values; ridge.py beside the file made them. */
const reference = JSON.parse(readFileSync(new URL('../fixtures/reference/ridge.json', import.meta.url), 'utf8')) as {
  alphas: number[]
  cases: Record<string, Recorded>
}

function samples(count: number, width: number, data: ArrayLike<number>): Samples {
  return { count, width, data: Float32Array.from(data) }
}

function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)
}

describe.each(Object.entries(reference.cases))('%s', (_, recorded) => {
  const { n, voxels, targets } = recorded
  const X = samples(n, voxels, recorded.x)
  const model = fitRidge(X, samples(n, targets, recorded.y), recorded.groups, reference.alphas)

  it('chooses the alpha of each target as scikit-learn does', () => {
    expect([...model.alpha]).toEqual(recorded.alpha)
    expect(new Set(model.alpha).size).toBeGreaterThan(1)
  })

  it('has the weights, the intercept and the predictions of scikit-learn', () => {
    // Weights are kept in float32: 6e-8 of their size, and the intercept subtracts sums of V of them.
    expect(furthest(model.weights, recorded.weights)).toBeLessThan(1e-6)
    expect(furthest(model.intercept, recorded.intercept)).toBeLessThan(5e-6)
    expect(furthest(predictRidge(model, samples(3, voxels, recorded.new)), recorded.predicted)).toBeLessThan(2e-5)
  })
})

describe('ridge', () => {
  const random = new Random(3)
  const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const X = samples(20, 30, normal(600))

  it('predicts the mean of a target that voxels say nothing about, and a constant exactly', () => {
    const Y = samples(20, 2, normal(40))
    for (let i = 0; i < 20; i++) Y.data[2 * i + 1] = 7
    const model = fitRidge(
      X,
      Y,
      Array.from({ length: 20 }, (_, i) => i % 5),
    )
    expect(model.alpha[1]).toBe(Math.max(...ridgeAlphas))
    const predicted = predictRidge(model, X)
    for (let i = 0; i < 20; i++) expect(predicted[2 * i + 1]).toBe(7)
  })

  it('copes with voxels that never change and with repeated trials', () => {
    const flat = samples(20, 30, X.data)
    for (let i = 0; i < 20; i++) flat.data[i * 30] = 2
    flat.data.copyWithin(30, 0, 30)
    const model = fitRidge(
      flat,
      samples(20, 1, normal(20)),
      Array.from({ length: 20 }, (_, i) => i % 4),
    )
    expect(model.weights.every(Number.isFinite)).toBe(true)
    expect(model.weights[0]).toBeCloseTo(0, 12)
  })

  it('refuses a single group, NaN, and voxels of another subject, with the fix', () => {
    const Y = samples(20, 1, normal(20))
    expect(() => fitRidge(X, Y, new Array(20).fill(3))).toThrow(
      /groups for cross-validation: expected at least 2, found 1/,
    )
    const holed = samples(20, 30, X.data)
    holed.data[5] = NaN
    const groups = Array.from({ length: 20 }, (_, i) => i % 4)
    expect(() => fitRidge(holed, Y, groups)).toThrow(/expected finite voxels and targets/)
    expect(() => predictRidge(fitRidge(X, Y, groups), samples(2, 29, normal(58)))).toThrow(
      /expected 30 voxels.*found 29/,
    )
  })
})
