import * as tf from '@tensorflow/tfjs-core'
import { antialiasTaps, cubicTaps, gaussianTaps, linearTaps, resample } from './resample.ts'

/*
 * Images are (B, H, W, C) float32. Sizes, positions and rounding are those of torch 2.0, torchvision 0.15 and kornia 0.6.12,
 * with which MindEye was made.
 */

export interface ResizeOptions {
  mode: 'bilinear' | 'bicubic' | 'nearest'
  /** Whether the corner pixels' centres stay in place, instead of the images' outer edges. */
  alignCorners?: boolean
  /** Whether reducing averages over all pixels (bilinear and bicubic, edges in place). */
  antialias?: boolean
}

/** torch.nn.functional.interpolate to (height, width). Bicubic results are not clamped. */
export function resize(
  images: tf.Tensor4D,
  [height, width]: readonly [number, number],
  { mode, alignCorners = false, antialias = false }: ResizeOptions,
): tf.Tensor4D {
  const [, fromHeight, fromWidth] = images.shape
  if (fromHeight === height && fromWidth === width) return tf.clone(images)
  if (antialias && (alignCorners || mode === 'nearest'))
    throw new RangeError('antialiasing is for bilinear and bicubic resizing without alignCorners')
  if (mode === 'nearest') return tf.image.resizeNearestNeighbor(images, [height, width], alignCorners)
  if (mode === 'bilinear' && !antialias)
    return tf.image.resizeBilinear(images, [height, width], alignCorners, !alignCorners)
  const taps = (from: number, to: number) =>
    antialias ? antialiasTaps(from, to, mode) : cubicTaps(from, to, alignCorners)
  return resample(images, [taps(fromHeight, height)], [taps(fromWidth, width)])
}

/** torchvision's Resize(size): the shorter side becomes `size`, the longer one keeps the proportion, rounded down. */
export function resizeShorterSide(images: tf.Tensor4D, size: number, options: ResizeOptions): tf.Tensor4D {
  const [, height, width] = images.shape
  const longer = Math.trunc((size * Math.max(height, width)) / Math.min(height, width))
  return resize(images, height <= width ? [size, longer] : [longer, size], options)
}

/** Python's round, by which torchvision places its crop. */
const roundedHalf = (n: number): number => (n % 2 === 0 ? n / 2 : 2 * Math.round(n / 4))

/** torchvision's CenterCrop(size): a square; images that are too small are padded with zeros. */
export function centerCrop(images: tf.Tensor4D, size: number): tf.Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = images.shape
    const missing = [Math.max(0, size - height), Math.max(0, size - width)]
    const [above, left] = missing.map((n) => Math.floor(n / 2))
    const [below, right] = missing.map((n) => Math.ceil(n / 2))
    const padded = tf.pad(images, [
      [0, 0],
      [above, below],
      [left, right],
      [0, 0],
    ])
    const begin = [0, roundedHalf(padded.shape[1] - size), roundedHalf(padded.shape[2] - size), 0]
    return tf.slice(padded, begin, [batch, size, size, channels])
  })
}

/** A rectangle of whole pixels. */
export interface Box {
  top: number
  left: number
  height: number
  width: number
}

/** One box of each image, resized to (height, width): bilinear with alignCorners (kornia's RandomResizedCrop). */
export function cropAndResize(
  images: tf.Tensor4D,
  boxes: readonly Box[],
  [height, width]: readonly [number, number],
): tf.Tensor4D {
  return resample(
    images,
    boxes.map((box) => linearTaps(box.height, height, box.top)),
    boxes.map((box) => linearTaps(box.width, width, box.left)),
  )
}

/** Each image blurred with its own σ in pixels, by a kernel of `length` x `length` (odd), mirrored at the border. */
export function gaussianBlur(images: tf.Tensor4D, length: number, sigmas: ArrayLike<number>): tf.Tensor4D {
  const [, height, width] = images.shape
  const taps = (side: number) => Array.from(sigmas, (sigma) => gaussianTaps(side, length, sigma))
  return resample(images, taps(height), taps(width))
}

/** Left and right exchanged. */
export const flipHorizontally = (images: tf.Tensor4D): tf.Tensor4D => tf.reverse(images, 2)
