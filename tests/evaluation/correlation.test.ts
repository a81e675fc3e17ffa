import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { correlations, pearson } from '../../src-main/evaluation/correlation.ts'
import { pairWins, twoWayIdentification } from '../../src-main/evaluation/identification.ts'
import { moments, structuralSimilarity } from '../../src-main/evaluation/pixelMetrics.ts'
import { Random } from '../../src-main/nn/random.ts'

beforeAll(() => loadBackend())

const random = new Random(5)
const own = Int32Array.of(0, 1)
const series = (length: number, offset = 0) => Float32Array.from({ length }, () => offset + random.normal())

describe('correlations', () => {
  it('of all pairs of rows agree with pearson over more features than one chunk holds', () => {
    const [x, y] = [
      [series(20_000, 3), series(20_000, -2)],
      [series(20_000), series(20_000, 40), series(20_000, 1)],
    ]
    y[2].forEach((v, i) => (y[2][i] = v + 2 * x[1][i]))
    const matrix = (rows: Float32Array[]) => tf.concat(rows.map((row) => tf.tensor2d(row, [1, row.length])))
    const found = correlations(matrix(x), matrix(y))
    const expected = x.flatMap((a) => y.map((b) => pearson(a, b)))
    expect(Math.max(...expected)).toBeGreaterThan(0.8)
    expected.forEach((r, i) => expect(found[i]).toBeCloseTo(r, 6))
  })

  it('of a constant row are 0, and such a reconstruction identifies nothing', () => {
    const [constant, varied] = [new Float32Array(10).fill(2), series(10)]
    expect(pearson(constant, varied)).toBe(0)
    const images = tf.tensor2d([...series(10), ...varied], [2, 10])
    const recons = tf.tensor2d([...constant, ...varied], [2, 10])
    expect([...twoWayIdentification(correlations(images, recons), own).counts]).toEqual([0, 1])
  })

  it('need another image to compare with', () => {
    expect(() => twoWayIdentification(Float64Array.of(1), Int32Array.of(0))).toThrow(RangeError)
  })

  it('hold the reconstruction and go over the images, not the other way round', () => {
    // Series whose correlation is the cosine of the angle between them.
    const at = (degrees: number) => {
      const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180) / Math.sqrt(3)]
      return [c + s, s - c, -2 * s]
    }
    const images = tf.tensor2d([at(0), at(85)])
    const recons = tf.tensor2d([at(-30), at(40)]) // of which the second is nearer to the first image than to its own
    const { counts, score } = twoWayIdentification(correlations(images, recons), own)
    expect([...counts]).toEqual([1, 0])
    expect(score).toBe(0.5)
  })

  it('of several reconstructions of one image compare it with the other images only', () => {
    const r = Float64Array.of(0.9, 0.2, 0.4, 0.1, 0.3, 0.5) // 2 images, 3 reconstructions
    const found = twoWayIdentification(r, Int32Array.of(0, 0, 1))
    expect([...found.perImage]).toEqual([1, 0, 1])
    expect([...pairWins(r, 3)]).toEqual([1, 0, 0, 0, 1, 1])
    expect([...pairWins(Float64Array.of(0.5, 0.5, 0.1), 1)]).toEqual([1, 1, 0]) // ties don't count
  })
})

describe('structural similarity', () => {
  const map = Float64Array.from({ length: 20 * 15 }, () => random.uniform())
  const similarity = (a: Float64Array, b: Float64Array) => structuralSimilarity(moments(a, 20), moments(b, 20))

  it('is 1 for equal maps and falls with noise', () => {
    expect(similarity(map, map)).toBeCloseTo(1, 12)
    const noisy = map.map((v) => v + 0.1 * random.normal())
    expect(similarity(map, noisy)).toBeLessThan(0.99)
  })

  it('of two even maps is the comparison of their luminances', () => {
    const [a, b] = [map.map(() => 0.2), map.map(() => 0.6)]
    expect(similarity(a, b)).toBeCloseTo((2 * 0.2 * 0.6 + 1e-4) / (0.04 + 0.36 + 1e-4), 10)
  })
})
