import * as tf from '@tensorflow/tfjs-core'
import { resize } from '../nn/image/resize.ts'
import { numbersOf } from '../nn/numbers.ts'
import { pearson } from './correlation.ts'
import { COMMON_SIZE } from './metricNetworks.ts'

/** Side at which pixels are compared. */
const SIZE = 425

/** Weights of red, green and blue in grey (scikit-image's rgb2gray). */
const GREY = [0.2125, 0.7154, 0.0721]

/** Gaussian window of the structural similarity: σ 1.5 px, cut off at 3.5 σ. */
const SIGMA = 1.5
const RADIUS = Math.floor(3.5 * SIGMA + 0.5)

/** (K L)² for range L = 1, which keep quotients of dark and even regions stable. */
const C1 = 0.01 ** 2
const C2 = 0.03 ** 2

export interface PixelMetrics {
  /** Pearson's correlation over all pixels and colours, of each pair. */
  pixCorr: Float64Array
  /** Structural similarity in grey, of each pair. */
  ssim: Float64Array
}

/**
 * PixCorr and SSIM of images and reconstructions, both (N, H, W, 3) in [0, 1] (clamped), compared at 425 x 425 by way of 256 x 256
 * (MindEye §4.2; official Reconstruction_Metrics.py with scikit-image 0.20, where the similarity is that of two-dimensional windows).
 */
export function pixelMetrics(images: tf.Tensor4D, recons: tf.Tensor4D): PixelMetrics {
  const n = images.shape[0]
  const [pixCorr, ssim] = [new Float64Array(n), new Float64Array(n)]
  for (let i = 0; i < n; i++) {
    const [x, y] = [images, recons].map((set) => comparablePixels(tf.slice(set, [i, 0, 0, 0], [1, -1, -1, -1])))
    pixCorr[i] = pearson(x, y)
    ssim[i] = structuralSimilarity(greyMoments(x), greyMoments(y))
  }
  return { pixCorr, ssim }
}

/** A picture (1, H, W, 3) of any size as its pixels are compared, (425 · 425 · 3); it is disposed. */
export function comparablePixels(picture: tf.Tensor4D): Float32Array {
  const pixels = numbersOf(() => {
    const common = resize(tf.clipByValue(picture, 0, 1), [COMMON_SIZE, COMMON_SIZE], { mode: 'bilinear' })
    return resize(common, [SIZE, SIZE], { mode: 'bilinear' })
  })
  picture.dispose()
  return pixels
}

/** What structural similarity needs of a grey picture alone. */
export interface GreyMoments {
  /** Columns of the map. */
  width: number
  /** (H, W) */
  grey: Float64Array
  /** Means under the window of the map and of its square, (H − 10, W − 10). */
  mean: Float64Array
  square: Float64Array
}

/** Of comparable pixels (425 · 425 · 3). */
export const greyMoments = (pixels: Float32Array): GreyMoments =>
  moments(
    Float64Array.from(
      { length: pixels.length / 3 },
      (_, i) => GREY[0] * pixels[3 * i] + GREY[1] * pixels[3 * i + 1] + GREY[2] * pixels[3 * i + 2],
    ),
    SIZE,
  )

/** Of any grey map in [0, 1] of `width` columns. */
export const moments = (grey: Float64Array, width: number): GreyMoments => ({
  width,
  grey,
  mean: windowed(grey, width),
  square: windowed(
    grey.map((v) => v * v),
    width,
  ),
})

/** Weights of the window from its edge to its middle; it is symmetric. */
const [w0, w1, w2, w3, w4, w5] = (() => {
  const weights = Array.from({ length: 2 * RADIUS + 1 }, (_, i) => Math.exp(-((i - RADIUS) ** 2) / (2 * SIGMA ** 2)))
  const total = weights.reduce((sum, w) => sum + w, 0)
  return weights.map((w) => w / total)
})()

/** The window over eleven values that lie `step` apart. Written out: a set of images takes tens of thousands of windowed maps. */
const weighted = (x: Float64Array, at: number, step: number): number =>
  w0 * (x[at] + x[at + 10 * step]) +
  w1 * (x[at + step] + x[at + 9 * step]) +
  w2 * (x[at + 2 * step] + x[at + 8 * step]) +
  w3 * (x[at + 3 * step] + x[at + 7 * step]) +
  w4 * (x[at + 4 * step] + x[at + 6 * step]) +
  w5 * x[at + 5 * step]

/** Means under the window at every place where it fits, of a map of `width` columns: (H, W) → (H − 2 radius, W − 2 radius). */
function windowed(map: Float64Array, width: number): Float64Array {
  const height = map.length / width
  const [rows, columns] = [height - 2 * RADIUS, width - 2 * RADIUS]
  const across = new Float64Array(height * columns)
  for (let r = 0, at = 0; r < height; r++)
    for (let c = 0; c < columns; c++, at++) across[at] = weighted(map, r * width + c, 1)
  const out = new Float64Array(rows * columns)
  for (let at = 0; at < out.length; at++) out[at] = weighted(across, at, columns)
  return out
}

/**
 * Mean structural similarity (Wang et al. 2004) of two grey maps of one size: Gaussian windows, population covariance, over the places where
 * the whole window lies inside.
 */
export function structuralSimilarity(x: GreyMoments, y: GreyMoments): number {
  const both = windowed(
    x.grey.map((v, i) => v * y.grey[i]),
    x.width,
  )
  let total = 0
  for (let i = 0; i < both.length; i++) {
    const [mx, my] = [x.mean[i], y.mean[i]]
    const [vx, vy, vxy] = [x.square[i] - mx * mx, y.square[i] - my * my, both[i] - mx * my]
    const luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    total += (luminance * (2 * vxy + C2)) / (vx + vy + C2)
  }
  return total / both.length
}
