import { describe, expect, it } from 'vitest'
import { compareRuns } from '../../src-main/evaluation/comparison.ts'
import type { Compared } from '../../src-main/evaluation/comparison.ts'
import type { MetricId } from '../../src-main/evaluation/metrics.ts'

const test = { chance: 0, p: 1 }

/** A run that held out these trials of the stimuli, and what its reconstructions of them score. */
function run(trial: number[], stimulus: number[], values: Partial<Record<MetricId, number[]>>): Compared {
  const pool = Int32Array.from(new Set(stimulus))
  const ownImage = Int32Array.from(stimulus, (one) => pool.indexOf(one))
  const [trials, images] = [trial.length, pool.length]
  // Every trial finds its own image but the first one.
  const similar = Float32Array.from({ length: trials * images }, (_, at) => {
    const [row, column] = [Math.floor(at / images), at % images]
    return Number((column === ownImage[row]) !== (row === 0))
  })
  const similarity = { trials, images, values: similar, ownImage }
  const first = Int32Array.from(trial)
  const metrics = Object.entries(values).map(([id, list]) => [id, { values: Float64Array.from(list), test }])
  return {
    similarity: { ...similarity, trial: first, fold: new Int32Array(trials), pool },
    reconstructions: { trial: first, pixels: similarity, pool, metrics: Object.fromEntries(metrics) as object },
  }
}

describe('two runs trial by trial', () => {
  const a = run([1, 2, 3, 4], [7, 7, 8, 9], { pixcorr: [0.2, 0.4, 0.6, 0.9], pixel: [1, 1, 0, 1] })

  it('are compared on the trials that both have, image by image', () => {
    const b = run([4, 3, 2], [9, 8, 7], { pixcorr: [0.5, 0.5, 0.5], pixel: [1, 0, 0], swav: [1, 1, 1] })
    const { scores, incomparable } = compareRuns(a, b, 1)
    expect(incomparable).toEqual([])
    expect(scores.map(({ score }) => score)).toEqual(['retrieval.image', 'retrieval.brain', 'pixcorr', 'pixel'])
    const [image, , pixcorr, pixel] = scores
    // Trial 4 is the first of the other run, which does not find it.
    expect(image).toMatchObject({ a: 1, b: 2 / 3, images: 3, trials: 3, better: 'higher' })
    expect(pixcorr.a).toBeCloseTo((0.4 + 0.6 + 0.9) / 3, 12)
    expect(pixcorr.difference).toBeCloseTo((-0.1 + 0.1 + 0.4) / 3, 12)
    expect(pixcorr.p).toBe(0.75) // of the eight sign changes six are as far from zero
    expect(pixel.difference).toBeCloseTo(1 / 3, 12)
  })

  it('average the trials of an image', () => {
    const b = run([1, 2, 3, 4], [7, 7, 8, 9], { pixcorr: [0, 0, 0, 0] })
    const pixcorr = compareRuns(a, b, 1).scores.find(({ score }) => score === 'pixcorr')!
    expect(pixcorr).toMatchObject({ images: 3, trials: 4, p: 0.25 })
    expect(pixcorr.a).toBeCloseTo((0.3 + 0.6 + 0.9) / 3, 12)
    expect(pixcorr.ci95[0]).toBeGreaterThanOrEqual(0.3)
    expect(pixcorr.ci95[1]).toBeLessThanOrEqual(0.9)
  })

  it('with other images to choose from leave out what depends on them, and say so', () => {
    const b = run([3, 4], [8, 9], { pixcorr: [0.5, 0.5], pixel: [1, 0] })
    const { scores, incomparable } = compareRuns(a, b, 1)
    expect(scores.map(({ score }) => score)).toEqual(['pixcorr'])
    expect(incomparable.map(({ score }) => score)).toEqual(['retrieval.image', 'retrieval.brain', 'pixel'])
    const stranger = run([10, 11, 12], [7, 8, 9], { pixcorr: [1, 1, 1] })
    expect(compareRuns(a, stranger, 1).incomparable).toContainEqual({
      score: 'pixcorr',
      reason: 'they have no trial in common',
    })
    expect(compareRuns({ similarity: a.similarity }, b, 1).scores).toEqual([])
  })
})
