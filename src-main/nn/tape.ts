import * as tf from '@tensorflow/tfjs-core'
import { computesOnGpu, product } from './raw.ts'

/*
 * Layers put only activations on TensorFlow.js' tape: each is one custom gradient over its input, whose backward pass
 * reads the parameters, hands their gradients to `Parameter.accumulate` and returns the input's gradient. The input's
 * gradient is computed before any parameter moves.
 */

/**
 * A custom gradient over x, or over the anchor where there is one. A backward pass disposes what it has used up (the
 * gradient it was given, saved arrays): otherwise TensorFlow.js keeps all of it until the end of the whole pass.
 */
export function onTape(
  x: tf.Tensor,
  anchor: tf.Scalar | undefined,
  layer: (save: tf.GradSaveFunc) => { value: tf.Tensor; backward: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor },
): tf.Tensor {
  return tf.customGrad((...inputs) => {
    const { value, backward } = layer(inputs[1] as tf.GradSaveFunc)
    return { value, gradFunc: backward }
  })(anchor ?? x)
}

/** a + b of the same shape; unlike tf.add it does not keep its terms for the backward pass. */
export function sum(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.customGrad((...inputs) => ({
    value: tf.add(inputs[0] as tf.Tensor, inputs[1] as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => {
      const both = [tf.clone(dy), tf.clone(dy)]
      dy.dispose()
      return both
    },
  }))(a, b)
}

/** Elements that a chain of elementwise ops takes at once on a CPU: its arrays then stay in the cache. */
const BLOCK_ELEMENTS = 1 << 18

/** Applies a function to blocks of rows of (R, D) arrays and joins its results along the rows. */
export function byRows(arrays: readonly tf.Tensor[], f: (...blocks: tf.Tensor2D[]) => tf.Tensor[]): tf.Tensor[] {
  const [rows, width] = arrays[0].shape
  const parts = computesOnGpu() ? 1 : Math.max(1, Math.ceil((rows * width) / BLOCK_ELEMENTS))
  const step = Math.ceil(rows / parts)
  if (rows <= step) return f(...(arrays as tf.Tensor2D[]))
  const results: tf.Tensor[][] = []
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row)
    results.push(tf.tidy(() => f(...arrays.map((array) => tf.slice(array, [row, 0], [count, -1]) as tf.Tensor2D))))
  }
  return results[0].map((_, i) => {
    const parts = results.map((result) => result[i])
    const whole = tf.concat(parts, 0)
    tf.dispose(parts)
    return whole
  })
}

export const flatten = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [-1, x.shape[x.shape.length - 1]])

/** Sum over the rows of (R, N) → (1, N), as a product with ones: one pass at the speed of BLAS. */
export const columnSums = (x: tf.Tensor2D): tf.Tensor2D => product(tf.ones([1, x.shape[0]]), x)
