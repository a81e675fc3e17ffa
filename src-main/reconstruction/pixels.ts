import * as tf from '@tensorflow/tfjs-core'
import type { AutoencoderKl } from '../models/autoencoderKl.ts'
import { numbersOf } from '../nn/numbers.ts'
import type { FloatPicture } from './sets.ts'

/** Stage 6: latents → pixels. */

/** Latents (B, h, w, L) times `scalingFactor` → pictures (B, H, W, 3) about [0, 1], not clamped. */
export const toPictures = (autoencoder: AutoencoderKl, latents: tf.Tensor4D, scalingFactor: number): tf.Tensor4D =>
  tf.tidy(() => tf.add(tf.mul(autoencoder.decode(tf.div(latents, scalingFactor)), 0.5), 0.5))

/** Each of pictures (B, H, W, 3), clamped to [0, 1]. */
export function floatPictures(pictures: tf.Tensor4D): FloatPicture[] {
  const [count, height, width] = pictures.shape
  const data = numbersOf(() => tf.clipByValue(pictures, 0, 1))
  const size = height * width * 3
  return Array.from({ length: count }, (_, i) => ({ height, width, data: data.slice(i * size, (i + 1) * size) }))
}

/** Clamped pictures of latents (B, h, w, L), times the autoencoder's own scaling factor. */
export function decodeLatents(autoencoder: AutoencoderKl, latents: tf.Tensor4D): FloatPicture[] {
  const pictures = toPictures(autoencoder, latents, autoencoder.config.scalingFactor)
  try {
    return floatPictures(pictures)
  } finally {
    pictures.dispose()
  }
}

/** Pictures of one size as (B, H, W, 3). */
export function pictureTensor(pictures: readonly FloatPicture[]): tf.Tensor4D {
  const { height, width } = pictures[0]
  return tf.stack(pictures.map(({ data }) => tf.tensor3d(data, [height, width, 3]))) as tf.Tensor4D
}
