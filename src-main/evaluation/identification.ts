import type * as tf from '@tensorflow/tfjs-core'
import { correlations, pearson } from './correlation.ts'
import { mean } from './statistics.ts'

export interface TwoWayIdentification {
  /** For each reconstruction, the number of images that it correlates less with than with its own. */
  counts: Int32Array
  /** counts / (N − 1): how often a reconstruction's own image wins against another one. */
  perImage: Float64Array
  /** Mean over the reconstructions; chance is 0.5. */
  score: number
}

/**
 * Two-way identification (MindEye §4.2; official Reconstruction_Metrics.py): whether the features of a reconstruction correlate more with
 * those of its own image than with another image's, over all other images. Ties do not count. Both (N, F), row by row of one image.
 */
export function twoWayIdentification(images: tf.Tensor2D, recons: tf.Tensor2D): TwoWayIdentification {
  const n = images.shape[0]
  if (n < 2) throw new RangeError('identification needs two images')
  const r = correlations(images, recons) // (image, recon)
  const counts = Int32Array.from({ length: n }, (_, recon) => {
    const own = r[recon * n + recon]
    let count = 0
    for (let image = 0; image < n; image++) if (r[image * n + recon] < own) count++
    return count
  })
  const perImage = Float64Array.from(counts, (count) => count / (n - 1))
  return { counts, perImage, score: mean(perImage) }
}

/**
 * 1 − Pearson's correlation of the features of each reconstruction with its image's, the lower the better (EfficientNet-B and SwAV in
 * MindEye §4.2). Both (N, F).
 */
export function correlationDistances(images: tf.Tensor2D, recons: tf.Tensor2D): Float64Array {
  const [n, width] = images.shape
  const [x, y] = [images.dataSync<'float32'>(), recons.dataSync<'float32'>()]
  const row = (numbers: Float32Array, i: number) => numbers.subarray(i * width, (i + 1) * width)
  return Float64Array.from({ length: n }, (_, i) => 1 - pearson(row(x, i), row(y, i)))
}
