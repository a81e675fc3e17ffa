import * as tf from '@tensorflow/tfjs-core'
import type { Random } from '../nn/random.ts'
import type { StimulusImages } from '../subjects/subject.ts'
import { augmentHighLevel, drawHighLevelAugmentation } from './augmentation.ts'
import type { ClipEncoder } from './clipEncoder.ts'
import type { PictureEncoder } from './imageEncoder.ts'

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

/** Pictures (B, H, W, 3) in [0, 1]; grey ones get three equal channels. */
export function pictureBatch({ count, height, width, channels, data }: StimulusImages): tf.Tensor4D {
  return tf.tidy(() => {
    const pictures = tf.div(tf.tensor4d(data, [count, height, width, channels], 'int32'), 255) as tf.Tensor4D
    return channels === 1 ? (tf.tile(pictures, [1, 1, 1, 3]) as tf.Tensor4D) : pictures
  })
}

/** Embeddings of each step's own images by a pretrained network. */
export const pictureTargets = (
  encoder: PictureEncoder,
  readImages: (items: Int32Array) => StimulusImages,
): Targets => ({
  width: encoder.tokens * encoder.width,
  batch: (items) => tf.tidy(() => encoder.embed(pictureBatch(readImages(items)))),
})

/** CLIP embeddings of each step's own images, augmented anew at every step (MindEye §A.5). */
export const augmentedTargets = (
  encoder: ClipEncoder,
  readImages: (items: Int32Array) => StimulusImages,
  augmentation: Random,
): Targets => ({
  width: encoder.tokens * encoder.width,
  batch: (items, step) =>
    tf.tidy(() => {
      const pictures = pictureBatch(readImages(items))
      const [batch, height, width] = pictures.shape
      const draws = drawHighLevelAugmentation(augmentation.split(step), [batch, height, width])
      return encoder.embed(augmentHighLevel(pictures, draws, encoder.side))
    }),
})
