import * as tf from '@tensorflow/tfjs-core'

/** What voxels are to be decoded to: the embedding of each example's image. */
export interface Targets {
  /** Numbers of an embedding, T·D. */
  readonly width: number
  /** Embeddings (B, T·D) of examples, as step `step` sees them (their images may be augmented). The caller disposes it. */
  batch(items: Int32Array, step: number): tf.Tensor2D
}

/** Embeddings that are the same at every step, (items, width) in C order. */
export const fixedTargets = (embeddings: Float32Array, width: number): Targets => ({
  width,
  batch(items) {
    const rows = new Float32Array(items.length * width)
    for (const [row, item] of items.entries())
      rows.set(embeddings.subarray(item * width, (item + 1) * width), row * width)
    return tf.tensor2d(rows, [items.length, width])
  },
})
