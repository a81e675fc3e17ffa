import * as tf from '@tensorflow/tfjs-core'

/*
 * Pooling with torch's semantics on feature maps (B, H, W, C), inference only: windows of `size` every `stride` pixels, symmetric
 * padding, the last window is the last that fits (floor mode).
 */

const padded = (x: tf.Tensor4D, padding: number, value: number): tf.Tensor4D =>
  padding === 0
    ? x
    : tf.pad(
        x,
        [
          [0, 0],
          [padding, padding],
          [padding, padding],
          [0, 0],
        ],
        value,
      )

/** torch.nn.MaxPool2d: what is padded never wins. (B, H, W, C) → (B, H', W', C) with H' = ⌊(H + 2·padding − size) / stride⌋ + 1. */
export function maxPool(x: tf.Tensor4D, size: number, stride: number, padding = 0): tf.Tensor4D {
  return tf.tidy(() => tf.maxPool(padded(x, padding, -Infinity), size, stride, 'valid'))
}

/** torch.nn.AvgPool2d with its default `count_include_pad`: what is padded counts as zeros. */
export function averagePool(x: tf.Tensor4D, size: number, stride: number, padding = 0): tf.Tensor4D {
  return tf.tidy(() => tf.avgPool(padded(x, padding, 0), size, stride, 'valid'))
}

/** torch.nn.AdaptiveAvgPool2d(1): (B, H, W, C) → (B, 1, 1, C). */
export const globalAverage = (x: tf.Tensor4D): tf.Tensor4D => tf.mean(x, [1, 2], true)
