import * as tf from '@tensorflow/tfjs-core'
import type { Parameter, Parameters } from './parameters.ts'

/**
 * A 3 x 3 convolution with zeros around the map, as one product of each position's 9 neighbours with the weight: (B, H, W, in) →
 * (B, ⌈H / stride⌉, ⌈W / stride⌉, out). Inference only. Convolution kernels bring the weight into an order of their own at every call,
 * which on maps of some 16 x 16 positions and less takes longer than the rest. Published as torch.nn.Conv2d(kernel 3, padding 1).
 */
export class ColumnsConv2d {
  private readonly weight: Parameter
  private readonly bias: Parameter
  private readonly stride: number

  constructor(parameters: Parameters, name: string, inputs: number, outputs: number, stride = 1) {
    const bound = { uniform: 1 / Math.sqrt(9 * inputs) } // torch's default
    this.stride = stride
    // Kept (out, height, width, in): products read it along its rows.
    this.weight = parameters.add(`${name}.weight`, [outputs, inputs, 3, 3], bound, { layout: [0, 2, 3, 1] })
    this.bias = parameters.add(`${name}.bias`, [outputs], bound)
  }

  compute(x: tf.Tensor4D): tf.Tensor4D {
    const { stride } = this
    const [batch, height, width, inputs] = x.shape
    const [outputs] = this.weight.shape
    const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)]
    return tf.tidy(() => {
      const padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]) // prettier-ignore
      const neighbours = Array.from({ length: 9 }, (_, i) => {
        const [top, left] = [Math.floor(i / 3), i % 3]
        if (stride === 1) return tf.slice(padded, [0, top, left, 0], [-1, rows, columns, -1])
        const [bottom, right] = [top + (rows - 1) * stride + 1, left + (columns - 1) * stride + 1]
        return tf.stridedSlice(padded, [0, top, left, 0], [batch, bottom, right, inputs], [1, stride, stride, 1])
      })
      const matrix = tf.reshape(tf.concat(neighbours, 3), [-1, 9 * inputs])
      const weight = tf.reshape(this.weight.value(), [outputs, 9 * inputs])
      const y = tf.add(tf.matMul(matrix, weight, false, true), this.bias.value())
      return tf.reshape(y, [batch, rows, columns, outputs])
    })
  }
}
