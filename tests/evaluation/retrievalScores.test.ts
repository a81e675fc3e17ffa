import { describe, expect, it } from 'vitest'
import { scoreRetrieval } from '../../src-main/evaluation/retrievalScores.ts'
import { Random } from '../../src-main/nn/random.ts'
import type { TrialSimilarity } from '../../src-main/retrieval/pools.ts'

/** `repeats` trials of each image; the own image stands out by `signal` standard deviations. */
function study(images: number, repeats: number, signal: number, random: Random): TrialSimilarity {
  const trials = images * repeats
  const ownImage = Int32Array.from({ length: trials }, (_, trial) => trial % images)
  const values = Float32Array.from({ length: trials * images }, (_, i) => {
    const own = i % images === ownImage[Math.floor(i / images)]
    return 0.1 * (random.normal() + (own ? signal : 0))
  })
  return { trials, images, values, ownImage }
}

describe('top-k retrieval', () => {
  it.each(['image', 'brain'] as const)('scores chance for embeddings that know nothing (%s)', (direction) => {
    const flat = study(12, 3, 0, new Random(1))
    flat.values.fill(0.5)
    const { top, poolSize, ranks } = scoreRetrieval(flat, direction, [1, 3], new Random(2))
    expect(poolSize).toBe(12)
    expect(ranks.length).toBe(direction === 'image' ? 36 : 12)
    for (const k of [1, 3]) {
      const score = top.get(k)!
      expect(score.n).toBe(ranks.length)
      expect(score.chance).toBeCloseTo(k / 12, 12)
      expect(score.mean).toBeCloseTo(score.chance, 12)
      for (const end of score.ci95) expect(end).toBeCloseTo(score.chance, 12)
    }
  })

  it('counts every trial once although images repeat unevenly', () => {
    // Image 0 has three trials (two right), image 1 one trial (wrong).
    const values = Float32Array.of(0.9, 0.1, 0.8, 0.2, 0.3, 0.4, 0.6, 0.5)
    const uneven = { trials: 4, images: 2, values, ownImage: Int32Array.of(0, 0, 0, 1) }
    expect(scoreRetrieval(uneven, 'image', [1], new Random(1)).top.get(1)!.mean).toBe(0.5)
  })

  it('gives the exact binomial bound when all or none are right', () => {
    const sure = study(10, 2, 100, new Random(1))
    const score = scoreRetrieval(sure, 'image', [1], new Random(2)).top.get(1)!
    expect(score.mean).toBe(1)
    // Clopper and Pearson for 10 of 10 distinct images: scipy.stats.binomtest(10, 10).proportion_ci() = (0.6915, 1).
    expect(score.ci95[0]).toBeCloseTo(0.6915, 4)
    expect(score.ci95[1]).toBe(1)
    const wrong = study(10, 2, -100, new Random(1))
    expect(scoreRetrieval(wrong, 'image', [1], new Random(2)).top.get(1)!.ci95[1]).toBeCloseTo(1 - 0.6915, 4)
  })

  it('averages over seeded pools and is easier in a smaller pool', () => {
    const noisy = study(60, 1, 1.5, new Random(4))
    const whole = scoreRetrieval(noisy, 'image', [1], new Random(1)).top.get(1)!
    const options = { size: 10, draws: 30 }
    const pooled = scoreRetrieval(noisy, 'image', [1], new Random(1), options)
    const score = pooled.top.get(1)!
    expect([pooled.poolSize, pooled.draws, score.chance]).toEqual([10, 30, 0.1])
    expect(score.mean).toBeGreaterThan(whole.mean)
    expect(score.ci95[0]).toBeLessThan(score.mean)
    expect(score.ci95[1]).toBeGreaterThan(score.mean)
    expect(scoreRetrieval(noisy, 'image', [1], new Random(1), options)).toEqual(pooled)
    expect(scoreRetrieval(noisy, 'image', [1], new Random(2), options).top.get(1)!.mean).not.toBe(score.mean)
  })

  it('a pool of all images is the whole test, drawn once', () => {
    const noisy = study(20, 2, 1, new Random(4))
    const whole = scoreRetrieval(noisy, 'brain', [1, 5], new Random(1))
    expect(scoreRetrieval(noisy, 'brain', [1, 5], new Random(1), { size: 20, draws: 30 })).toEqual(whole)
  })

  it('has intervals that hold the truth about 95 times in 100, although repeats of an image go together', () => {
    const [images, repeats, studies] = [40, 3, 300]
    const random = new Random(6)
    let held = 0
    for (let round = 0; round < studies; round++) {
      // Each image is easy (right in 95 of 100 trials) or hard (45 of 100), so over all images .70 are right.
      const chances = Float64Array.from({ length: images }, () => (random.uniform() < 0.5 ? 0.95 : 0.45))
      const simulated = study(images, repeats, 0, random)
      simulated.values.fill(0)
      simulated.ownImage.forEach((image, trial) => {
        simulated.values[trial * images + image] = random.uniform() < chances[image] ? 1 : -1
      })
      const [low, high] = scoreRetrieval(simulated, 'image', [1], random.split(round)).top.get(1)!.ci95
      if (low <= 0.7 && 0.7 <= high) held++
    }
    // Resampling trials instead of images would hold it about 88 times in 100.
    expect(held / studies).toBeGreaterThan(0.91)
    expect(held / studies).toBeLessThan(0.985)
  })
})
