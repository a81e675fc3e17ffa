import * as tf from '@tensorflow/tfjs-core'

/*
 * Colours of RGB images (B, H, W, 3) in [0, 1], as kornia 0.6.12 changes them (its ColorJitter and RandomSolarize, which
 * follow Pillow). Factors are one per image.
 */

/** Channel means and standard deviations of the images that OpenAI's CLIP was trained on. */
export const CLIP_NORMALIZATION = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const

/** (x − mean) / std per channel. */
export function normalize(
  images: tf.Tensor4D,
  { mean, std }: { mean: readonly number[]; std: readonly number[] },
): tf.Tensor4D {
  return tf.tidy(() => tf.div(tf.sub(images, tf.tensor1d([...mean])), tf.tensor1d([...std])))
}

const perImage = (values: ArrayLike<number>) => tf.tensor4d(Float32Array.from(values), [values.length, 1, 1, 1])
const clamp = (x: tf.Tensor4D) => tf.clipByValue(x, 0, 1)

function luma(images: tf.Tensor4D): tf.Tensor4D {
  const [r, g, b] = tf.split(images, 3, 3)
  return tf.addN([tf.mul(r, 0.299), tf.mul(g, 0.587), tf.mul(b, 0.114)]) // (B, H, W, 1)
}

/** factor·x + (1 − factor)·other, clamped. */
function blend(images: tf.Tensor4D, other: tf.Tensor4D, factors: ArrayLike<number>): tf.Tensor4D {
  const factor = perImage(factors)
  return clamp(tf.add(tf.mul(images, factor), tf.mul(other, tf.sub(1, factor))))
}

/** Grey (ITU-R 601 luma) in all three channels. */
export function grayscale(images: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => tf.tile(luma(images), [1, 1, 1, 3]))
}

/** Multiplied by the factor, clamped. */
export function adjustBrightness(images: tf.Tensor4D, factors: ArrayLike<number>): tf.Tensor4D {
  return tf.tidy(() => clamp(tf.mul(images, perImage(factors))))
}

/** Blended with the image's mean grey (factor 0), clamped. */
export function adjustContrast(images: tf.Tensor4D, factors: ArrayLike<number>): tf.Tensor4D {
  return tf.tidy(() => blend(images, tf.mean(luma(images), [1, 2], true), factors))
}

/** Blended with the image in grey (factor 0), clamped. */
export function adjustSaturation(images: tf.Tensor4D, factors: ArrayLike<number>): tf.Tensor4D {
  return tf.tidy(() => blend(images, luma(images), factors))
}

/** Hue turned by a share of the colour circle. */
export function adjustHue(images: tf.Tensor4D, turns: ArrayLike<number>): tf.Tensor4D {
  return tf.tidy(() => {
    const [r, g, b] = tf.split(images, 3, 3) // (B, H, W, 1)
    const value = tf.maximum(r, tf.maximum(g, b))
    const chroma = tf.sub(value, tf.minimum(r, tf.minimum(g, b)))
    const divisor = tf.where(tf.equal(chroma, 0), tf.onesLike(chroma), chroma)
    const sextant = tf.where(
      tf.equal(r, value),
      tf.div(tf.sub(g, b), divisor),
      tf.where(tf.equal(g, value), tf.add(tf.div(tf.sub(b, r), divisor), 2), tf.add(tf.div(tf.sub(r, g), divisor), 4)),
    )
    const turned = tf.mod(tf.add(sextant, tf.mul(perImage(turns), 6)), 6)
    // How much of the chroma each channel has around the circle: red at 0, green at 2, blue at 4.
    const distance = tf.abs(tf.sub(turned, tf.tensor1d([3, 2, 4]))) // (B, H, W, 3)
    const share = clamp(tf.add(tf.mul(distance, tf.tensor1d([1, -1, -1])), tf.tensor1d([-1, 2, 2])))
    const saturation = tf.div(chroma, tf.add(value, 1e-8))
    return tf.mul(value, tf.sub(1, tf.mul(saturation, tf.sub(1, share))))
  })
}

/** The addition added and clamped, then what reaches the threshold is inverted. */
export function solarize(
  images: tf.Tensor4D,
  thresholds: ArrayLike<number>,
  additions: ArrayLike<number>,
): tf.Tensor4D {
  return tf.tidy(() => {
    const x = clamp(tf.add(images, perImage(additions)))
    return tf.where(tf.less(x, perImage(thresholds)), x, tf.sub(1, x))
  })
}

/** The images at `chosen` replaced by what `change` makes of them; the others stay. `change` keeps the shape. */
export function changeSome(
  images: tf.Tensor4D,
  chosen: readonly number[],
  change: (some: tf.Tensor4D) => tf.Tensor4D,
): tf.Tensor4D {
  const batch = images.shape[0]
  if (chosen.length === 0) return tf.clone(images)
  if (chosen.length === batch) return change(images)
  return tf.tidy(() => {
    const changed = change(tf.gather(images, tf.tensor1d([...chosen], 'int32')))
    const source = Int32Array.from({ length: batch }, (_, i) => i)
    chosen.forEach((row, i) => (source[row] = batch + i))
    return tf.gather(tf.concat([images, changed], 0), tf.tensor1d(source, 'int32'))
  })
}
