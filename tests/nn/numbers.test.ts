import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { numbersOf } from '../../src-main/nn/numbers.ts'

beforeAll(() => loadBackend())

it('copies out more numbers than tf.tidy could look through, and leaves no tensor behind', () => {
  const count = 2 ** 24 + 2
  const before = tf.memory().numTensors
  const numbers = numbersOf(() => tf.sub(tf.range(0, count), 2 ** 23))
  expect(numbers).toHaveLength(count)
  expect([numbers[0], numbers[2 ** 23], numbers[2 ** 24]]).toEqual([-(2 ** 23), 0, 2 ** 23])
  expect(tf.memory().numTensors).toBe(before)
})
