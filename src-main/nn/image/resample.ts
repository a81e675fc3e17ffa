import * as tf from '@tensorflow/tfjs-core'

/**
 * How one axis is resampled: output i is Σ_k weights[k][i] · input[indices[k][i]]. Kept as taps and gathered rather than
 * multiplied as matrices, because matrix products on graphics cards round pixels to 11 bits.
 */
export interface Taps {
  indices: Int32Array[]
  weights: Float32Array[]
}

/** Taps of `size` outputs from what each output sees: a first input and weights from there on; borders are continued. */
function collect(size: number, inputs: number, see: (i: number) => { first: number; weights: number[] }): Taps {
  const seen = Array.from({ length: size }, (_, i) => see(i))
  const count = Math.max(...seen.map(({ weights }) => weights.length))
  const perTap = Array.from({ length: count }, (_, k) => k)
  return {
    indices: perTap.map((k) => Int32Array.from(seen, ({ first }) => Math.min(Math.max(first + k, 0), inputs - 1))),
    weights: perTap.map((k) => Float32Array.from(seen, ({ weights }) => weights[k] ?? 0)),
  }
}

/** Where output i lies among the inputs, in float32 as torch computes it. */
function position(i: number, inputs: number, size: number, alignCorners: boolean): number {
  if (alignCorners) return Math.fround(Math.fround(size > 1 ? (inputs - 1) / (size - 1) : 0) * i)
  return Math.fround(Math.fround(Math.fround(inputs / size) * (i + 0.5)) - 0.5)
}

/** Keys' cubic convolution kernel at distance x. */
function cubic(x: number, a: number): number {
  const d = Math.abs(x)
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0
}

/** Linear interpolation of inputs `start` … `start + inputs − 1` to `size` outputs, end points on end points. */
export function linearTaps(inputs: number, size: number, start = 0): Taps {
  return collect(size, start + inputs, (i) => {
    const at = position(i, inputs, size, true)
    const below = Math.floor(at)
    return { first: start + below, weights: [1 - (at - below), at - below] }
  })
}

/** Cubic convolution with a = −0.75 and without antialiasing (torch's and OpenCV's bicubic). */
export function cubicTaps(inputs: number, size: number, alignCorners: boolean): Taps {
  return collect(size, inputs, (i) => {
    const at = position(i, inputs, size, alignCorners)
    const below = Math.floor(at)
    return { first: below - 1, weights: [-1, 0, 1, 2].map((k) => cubic(below + k - at, -0.75)) }
  })
}

/** A kernel that widens with the reduction, so that nothing is skipped (Pillow's resampling; bicubic with a = −0.5). */
export function antialiasTaps(inputs: number, size: number, mode: 'bilinear' | 'bicubic'): Taps {
  const scale = Math.fround(inputs / size)
  const width = Math.max(scale, 1)
  const support = (mode === 'bilinear' ? 1 : 2) * width
  const kernel = (x: number) => (mode === 'bilinear' ? Math.max(0, 1 - Math.abs(x)) : cubic(x, -0.5))
  return collect(size, inputs, (i) => {
    const centre = scale * (i + 0.5)
    const first = Math.max(Math.trunc(centre - support + 0.5), 0)
    const end = Math.min(Math.trunc(centre + support + 0.5), inputs)
    const weights = Array.from({ length: end - first }, (_, k) => kernel((first + k + 0.5 - centre) / width))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return { first, weights: weights.map((weight) => weight / total) }
  })
}

/** A Gaussian of `length` (odd) taps with standard deviation sigma; the image is mirrored at its border pixels. */
export function gaussianTaps(inputs: number, length: number, sigma: number): Taps {
  const middle = Math.floor(length / 2)
  const kernel = Array.from({ length }, (_, k) => Math.exp(-((k - middle) ** 2) / (2 * sigma * sigma)))
  const total = kernel.reduce((sum, weight) => sum + weight, 0)
  const mirror = (at: number) => (at < 0 ? -at : at < inputs ? at : 2 * (inputs - 1) - at)
  return {
    indices: kernel.map((_, k) => Int32Array.from({ length: inputs }, (_, i) => mirror(i + k - middle))),
    weights: kernel.map((weight) => new Float32Array(inputs).fill(weight / total)),
  }
}

/** Resamples axis 1 of (B, N, M) by one set of taps for all or one for each of the B; all give the same number of outputs. */
function resampleRows(x: tf.Tensor3D, taps: readonly Taps[]): tf.Tensor3D {
  const [batch, inputs, width] = x.shape
  const size = taps[0].indices[0].length
  const ofSample = (b: number) => taps[taps.length === 1 ? 0 : b]
  const count = Math.max(...taps.map(({ indices }) => indices.length))
  const rows = tf.reshape(x, [batch * inputs, width])
  const parts = Array.from({ length: count }, (_, k) => {
    const index = new Int32Array(batch * size)
    const weight = new Float32Array(batch * size)
    for (let b = 0; b < batch; b++) {
      const { indices, weights } = ofSample(b)
      if (k >= indices.length) continue // weight 0
      for (let i = 0; i < size; i++) index[b * size + i] = b * inputs + indices[k][i]
      weight.set(weights[k], b * size)
    }
    return tf.mul(tf.gather(rows, tf.tensor1d(index, 'int32')), tf.tensor2d(weight, [batch * size, 1])) // (B·n, M)
  })
  return tf.reshape(tf.addN(parts), [batch, size, width])
}

/** Resamples both axes of images (B, H, W, C); taps per axis: one set for all images or one for each. */
export function resample(images: tf.Tensor4D, vertical: readonly Taps[], horizontal: readonly Taps[]): tf.Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = images.shape
    const tall = resampleRows(tf.reshape(images, [batch, height, width * channels]), vertical) // (B, h, W·C)
    const h = tall.shape[1]
    const turned = tf.transpose(tf.reshape(tall, [batch, h, width, channels]), [0, 2, 1, 3]) // (B, W, h, C)
    const wide = resampleRows(tf.reshape(turned, [batch, width, h * channels]), horizontal) // (B, w, h·C)
    return tf.transpose(tf.reshape(wide, [batch, wide.shape[1], h, channels]), [0, 2, 1, 3]) // (B, h, w, C)
  })
}
