import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { correlations, pearson } from '../../src-main/evaluation/correlation.ts'
import { twoWayIdentification } from '../../src-main/evaluation/identification.ts'
import { structuralSimilarity } from '../../src-main/evaluation/pixelMetrics.ts'
import { Random } from '../../src-main/nn/random.ts'

beforeAll(() => loadBackend())

const random = new Random(5)
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

  it('of a constant row are NaN, and such a reconstruction identifies nothing', () => {
    const [constant, varied] = [new Float32Array(10).fill(2), series(10)]
    expect(pearson(constant, varied)).toBeNaN()
    const images = tf.tensor2d([...series(10), ...varied], [2, 10])
    const recons = tf.tensor2d([...constant, ...varied], [2, 10])
    expect([...twoWayIdentification(images, recons).counts]).toEqual([0, 1])
  })

  it('need another image to compare with', () => {
    expect(() => twoWayIdentification(tf.ones([1, 4]), tf.ones([1, 4]))).toThrow(RangeError)
  })

  it('hold the reconstruction and go over the images, not the other way round', () => {
    // Series whose correlation is the cosine of the angle between them.
    const at = (degrees: number) => {
      const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180) / Math.sqrt(3)]
      return [c + s, s - c, -2 * s]
    }
    const images = tf.tensor2d([at(0), at(85)])
    const recons = tf.tensor2d([at(-30), at(40)]) // of which the second is nearer to the first image than to its own
    const { counts, score } = twoWayIdentification(images, recons)
    expect([...counts]).toEqual([1, 0])
    expect(score).toBe(0.5)
  })
})

describe('structural similarity', () => {
  const map = Float64Array.from({ length: 20 * 15 }, () => random.uniform())

  it('is 1 for equal maps and falls with noise', () => {
    expect(structuralSimilarity(map, map, 20)).toBeCloseTo(1, 12)
    const noisy = map.map((v) => v + 0.1 * random.normal())
    expect(structuralSimilarity(map, noisy, 20)).toBeLessThan(0.99)
  })

  it('of two even maps is the comparison of their luminances', () => {
    const [a, b] = [map.map(() => 0.2), map.map(() => 0.6)]
    expect(structuralSimilarity(a, b, 20)).toBeCloseTo((2 * 0.2 * 0.6 + 1e-4) / (0.04 + 0.36 + 1e-4), 10)
  })
})
