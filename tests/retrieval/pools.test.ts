import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'
import {
  drawPools,
  expectedRank,
  hitWithin,
  rankQueries,
  retrievalTask,
  type TrialSimilarity,
} from '../../src-main/retrieval/pools.ts'

/** Three trials of two images in a pool of three: image 0 is shown twice, image 2 never. */
const study: TrialSimilarity = {
  trials: 3,
  images: 3,
  // prettier-ignore
  values: Float32Array.of(
    0.5, 0.25, 0.75,
    0.75, 0.5, 0.25,
    0.875, 0.625, 0.125,
  ),
  ownImage: Int32Array.of(0, 0, 1),
}

describe('the two directions', () => {
  it('image: every trial asks all images of the pool', () => {
    const task = retrievalTask(study, 'image')
    expect([task.queries, task.candidates]).toEqual([3, 3])
    expect(rankQueries(task)).toEqual([
      { above: 1, tied: 0 },
      { above: 0, tied: 0 },
      { above: 1, tied: 0 },
    ])
  })

  it('brain: every image that was shown asks the averaged patterns', () => {
    const task = retrievalTask(study, 'brain')
    expect([task.queries, task.candidates]).toEqual([2, 2])
    // Rows are images 0 and 1; columns the patterns of image 0 (two trials averaged) and of image 1.
    expect([...task.values]).toEqual([0.625, 0.875, 0.375, 0.625])
    expect(rankQueries(task)).toEqual([
      { above: 1, tied: 0 },
      { above: 0, tied: 0 },
    ])
  })

  it('refuse a trial whose image is not in the pool', () => {
    expect(() => retrievalTask({ ...study, ownImage: Int32Array.of(0, 3, 1) }, 'image')).toThrow(
      /trial 1, image: expected one of the 3 images of the pool, found 3/,
    )
  })
})

describe('ties', () => {
  it('give chance when nothing is told apart', () => {
    const flat = { ...study, values: new Float32Array(9).fill(0.3) }
    for (const direction of ['image', 'brain'] as const) {
      const task = retrievalTask(flat, direction)
      for (const rank of rankQueries(task)) {
        for (let k = 1; k <= task.candidates; k++) expect(hitWithin(rank, k)).toBeCloseTo(k / task.candidates, 12)
        expect(expectedRank(rank)).toBe((task.candidates + 1) / 2)
      }
    }
  })

  it('within the rounding of a float32 product count as ties', () => {
    const values = Float32Array.of(0.3, 0.3 + 2e-7, 0.3 - 2e-7, 0.31)
    const [rank] = rankQueries(retrievalTask({ trials: 1, images: 4, values, ownImage: Int32Array.of(0) }, 'image'))
    expect(rank).toEqual({ above: 1, tied: 2 })
  })

  it('are the average over all orders of the tied candidates', () => {
    fc.assert(
      fc.property(fc.nat(5), fc.nat(5), fc.integer({ min: 1, max: 12 }), (above, tied, k) => {
        let right = 0
        for (let place = 0; place <= tied; place++) if (above + place < k) right++
        expect(hitWithin({ above, tied }, k)).toBeCloseTo(right / (tied + 1), 12)
      }),
    )
  })
})

describe('seeded pools', () => {
  it('are distinct within, repeatable, and differ between seeds', () => {
    const pools = drawPools(50, 20, 30, new Random(1))
    expect(pools.length).toBe(30)
    for (const pool of pools) {
      expect(new Set(pool).size).toBe(20)
      expect(Math.min(...pool)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...pool)).toBeLessThan(50)
    }
    expect(drawPools(50, 20, 30, new Random(1))).toEqual(pools)
    expect(drawPools(50, 20, 30, new Random(2))).not.toEqual(pools)
  })

  it('rank a query among the members of its pool only', () => {
    const task = retrievalTask(study, 'image')
    expect(rankQueries(task, Int32Array.of(0), Int32Array.of(0, 1))).toEqual([{ above: 0, tied: 0 }])
  })

  it.each([0, 51, 2.5])('cannot hold %d of 50 images', (size) => {
    expect(() => drawPools(50, size, 1, new Random(1))).toThrow(/1 to the 50 distinct test images/)
  })
})
