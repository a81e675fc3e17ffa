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
    const [x, y] = [images, recons].map((set) =>
      numbersOf(() => comparable(tf.slice(set, [i, 0, 0, 0], [1, -1, -1, -1]))),
    )
    pixCorr[i] = pearson(x, y)
    ssim[i] = structuralSimilarity(grey(x), grey(y), SIZE)
  }
  return { pixCorr, ssim }
}

function comparable(image: tf.Tensor4D): tf.Tensor4D {
  const common = resize(tf.clipByValue(image, 0, 1), [COMMON_SIZE, COMMON_SIZE], { mode: 'bilinear' })
  return resize(common, [SIZE, SIZE], { mode: 'bilinear' })
}

const grey = (pixels: Float32Array): Float64Array =>
  Float64Array.from({ length: pixels.length / 3 }, (_, i) =>
    GREY.reduce((sum, weight, channel) => sum + weight * pixels[3 * i + channel], 0),
  )

const WINDOW = (() => {
  const weights = Array.from({ length: 2 * RADIUS + 1 }, (_, i) => Math.exp(-((i - RADIUS) ** 2) / (2 * SIGMA ** 2)))
  const total = weights.reduce((sum, w) => sum + w, 0)
  return weights.map((w) => w / total)
})()

/** Means under the window at every place where it fits, of a map of `width` columns: (H, W) → (H − 2 radius, W − 2 radius). */
function windowed(map: Float64Array, width: number): Float64Array {
  const height = map.length / width
  const [rows, columns] = [height - 2 * RADIUS, width - 2 * RADIUS]
  const across = new Float64Array(height * columns)
  for (let r = 0; r < height; r++)
    for (let c = 0; c < columns; c++) {
      let sum = 0
      for (let k = 0; k < WINDOW.length; k++) sum += WINDOW[k] * map[r * width + c + k]
      across[r * columns + c] = sum
    }
  const out = new Float64Array(rows * columns)
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < WINDOW.length; k++)
      for (let c = 0; c < columns; c++) out[r * columns + c] += WINDOW[k] * across[(r + k) * columns + c]
  return out
}

/**
 * Mean structural similarity (Wang et al. 2004) of two grey maps in [0, 1] of `width` columns: Gaussian windows, population covariance,
 * over the places where the whole window lies inside.
 */
export function structuralSimilarity(x: Float64Array, y: Float64Array, width: number): number {
  const product = (a: Float64Array, b: Float64Array) => a.map((v, i) => v * b[i])
  const [mx, my, mxx, myy, mxy] = [x, y, product(x, x), product(y, y), product(x, y)].map((map) => windowed(map, width))
  let total = 0
  for (let i = 0; i < mx.length; i++) {
    const [vx, vy, vxy] = [mxx[i] - mx[i] ** 2, myy[i] - my[i] ** 2, mxy[i] - mx[i] * my[i]]
    const luminance = (2 * mx[i] * my[i] + C1) / (mx[i] ** 2 + my[i] ** 2 + C1)
    total += (luminance * (2 * vxy + C2)) / (vx + vy + C2)
  }
  return total / mx.length
}
