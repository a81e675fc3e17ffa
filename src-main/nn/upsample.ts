import * as tf from '@tensorflow/tfjs-core'
import { Conv2d } from './conv.ts'
import type { Parameters } from './parameters.ts'

/** Every pixel as two by two: (B, H, W, C) → (B, 2H, 2W, C), nearest neighbour as torch.nn.functional.interpolate. */
export function upsampleNearest(x: tf.Tensor): tf.Tensor4D {
  return tf.customGrad((...inputs) => {
    const input = inputs[0] as tf.Tensor
    const [batch, height, width, channels] = input.shape
    const value = tf.tidy(() => {
      const twice = tf.tile(tf.reshape(input, [batch * height, 1, width, 1, channels]), [1, 2, 1, 2, 1])
      return tf.reshape(twice, [batch, 2 * height, 2 * width, channels])
    })
    const gradFunc = (dy: tf.Tensor) => {
      const dx = tf.sum(tf.reshape(dy, [batch * height, 2, width, 2, channels]), [1, 3])
      dy.dispose()
      return tf.reshape(dx, [batch, height, width, channels])
    }
    return { value, gradFunc }
  })(x) as tf.Tensor4D
}

/** A 3x3 convolution of the map with every pixel doubled: (B, H, W, in) → (B, 2H, 2W, out). */
export class UpsampledConv2d {
  private readonly conv: Conv2d

  constructor(parameters: Parameters, name: string, inputs: number, outputs: number) {
    this.conv = new Conv2d(parameters, name, inputs, outputs, { kernel: 3, padding: 1 })
  }

  forward(x: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() => this.conv.forward(upsampleNearest(x)))
  }
}
