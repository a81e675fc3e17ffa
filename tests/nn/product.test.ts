import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { product } from '../../src-main/nn/raw.ts'
import { normal } from '../support/gradients.ts'
import { expectClose } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

/** On both sides of every threshold by which an op is chosen. */
const cases = [
  { a: [7, 5], b: [5, 3], transposeA: false, transposeB: false },
  { a: [40, 6], b: [40, 9], transposeA: true, transposeB: false },
  { a: [300, 6], b: [300, 9], transposeA: true, transposeB: false },
  { a: [40, 6], b: [9, 6], transposeA: false, transposeB: true },
  { a: [2100, 6], b: [9, 6], transposeA: false, transposeB: true },
  { a: [2100, 9], b: [6, 9], transposeA: false, transposeB: true },
]

describe('product', () => {
  it.each(cases)('$a x $b, transposed: $transposeA, $transposeB', ({ a, b, transposeA, transposeB }) => {
    const [left, right] = [normal(a), normal(b)] as tf.Tensor2D[]
    const before = tf.memory().numTensors
    const ours = product(left, right, transposeA, transposeB)
    expect(tf.memory().numTensors).toBe(before + 1)
    const expected = tf.einsum(`${transposeA ? 'ki' : 'ik'},${transposeB ? 'jk' : 'kj'}->ij`, left, right)
    expect(ours.shape).toEqual(expected.shape)
    expectClose(ours.dataSync(), expected.dataSync(), { atol: 1e-6, rtol: 1e-5 }, 'product')
  })
})
