import * as tf from '@tensorflow/tfjs-core'

/**
 * The numbers of a float32 tensor, everything that was made on the way disposed. Never return numbers from `tf.tidy` itself: it
 * looks for tensors in them one by one, which takes a thousand times longer than the copy and fails beyond 2²⁴ of them.
 */
export function numbersOf(compute: () => tf.Tensor): Float32Array {
  const tensor = tf.tidy(compute)
  try {
    return tensor.dataSync<'float32'>()
  } finally {
    tensor.dispose()
  }
}
