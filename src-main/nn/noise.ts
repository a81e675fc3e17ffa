import * as tf from '@tensorflow/tfjs-core'
import type { Random } from './random.ts'
import { hasTensorFlow, statelessNormal } from './raw.ts'

/** N(0, 1) of any shape from a stream; drawn by TensorFlow where it computes, so the numbers depend on the backend, not on threads. */
export function normalNoise(shape: readonly number[], random: Random): tf.Tensor {
  const seed = [random.int(2 ** 31), random.int(2 ** 31)] as const
  if (hasTensorFlow()) return statelessNormal(shape, seed)
  const size = shape.reduce((a, b) => a * b, 1)
  return tf.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    [...shape],
  )
}
