import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { averagePool, globalAverage, maxPool } from '../../src-main/nn/pooling.ts'

beforeAll(() => loadBackend())

/** Expected values were computed by torch.nn.functional.{max_pool2d, avg_pool2d} on the same map, (2, 2, 5, 7) there. */
function map(): tf.Tensor4D {
  const numbers = Array.from({ length: 2 * 2 * 5 * 7 }, (_, i) => ((i * 37) % 53) - 40)
  return tf.transpose(tf.tensor4d(numbers, [2, 2, 5, 7]), [0, 2, 3, 1])
}
const first = (y: tf.Tensor, count: number) => [...y.dataSync().slice(0, count)].map((v) => Math.round(v * 1e4) / 1e4)

describe('pooling as torch does it', () => {
  it('takes the largest of overlapping windows and leaves out the last that does not fit', () => {
    const y = maxPool(map(), 3, 2)
    expect(y.shape).toEqual([2, 2, 3, 2])
    expect(first(y, 12)).toEqual([7, 8, 12, 4, 11, 9, 10, 12, 10, 7, 11, 7])
  })

  it('never takes the padding as the largest', () => {
    const y = maxPool(map(), 3, 2, 1)
    expect(y.shape).toEqual([2, 3, 4, 2])
    expect(first(y, 16)).toEqual([7, -17, 12, 4, 12, 9, -14, 9, 7, 8, 12, 8, 12, 7, 11, 3])
    const negative = maxPool(tf.sub(map(), 100), 3, 2, 1)
    expect(first(negative, 4)).toEqual([-93, -117, -88, -96])
  })

  it('counts the padding as zeros in an average', () => {
    const y = averagePool(map(), 3, 1, 1)
    expect(y.shape).toEqual([2, 5, 7, 2])
    expect(first(y, 8)).toEqual([-5, -12.4444, -9.8889, -12.2222, -8.7778, -11.1111, -7.6667, -10])
  })

  it('averages without padding in floor mode', () => {
    const y = averagePool(map(), 2, 2)
    expect(y.shape).toEqual([2, 2, 3, 2])
    expect(first(y, 6)).toEqual([-11.25, -28, -16.75, -7, -9, -12.5])
  })

  it('averages whole maps', () => {
    const y = globalAverage(tf.ones([2, 3, 5, 4]))
    expect(y.shape).toEqual([2, 1, 1, 4])
    expect([...y.dataSync()]).toEqual(new Array(8).fill(1))
  })
})
