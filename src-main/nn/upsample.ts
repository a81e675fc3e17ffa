import * as tf from '@tensorflow/tfjs-core'
import { kernelGradient } from './conv.ts'
import type { Parameter, Parameters } from './parameters.ts'
import { columnSums, flatten, onTape } from './tape.ts'

/** Every pixel as two by two: (B, H, W, C) → (B, 2H, 2W, C), nearest neighbour as torch.nn.functional.interpolate. For inference. */
export function upsampleNearest(x: tf.Tensor): tf.Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = x.shape
    const twice = tf.tile(tf.reshape(x, [batch * height, 1, width, 1, channels]), [1, 2, 1, 2, 1])
    return tf.reshape(twice, [batch, 2 * height, 2 * width, channels])
  })
}

/** Which of three taps over doubled pixels fall on the first and on the second of two pixels, for even and for odd outputs. */
const TAPS = [
  [[1, 0, 0], [0, 1, 1]],
  [[1, 1, 0], [0, 0, 1]],
] as const // prettier-ignore

/**
 * 3x3 kernels → 2x2 kernels, (16, 9): rows by parity of the output's row, tap's row, tap's column, parity of the output's column (odd
 * first: see `compute`), columns by row and column of the kernel.
 */
function splitting(): tf.Tensor2D {
  const rows: number[][] = []
  for (const parity of [0, 1])
    for (const row of [0, 1])
      for (const column of [0, 1])
        for (const columnParity of [1, 0])
          rows.push(TAPS[parity][row].flatMap((r) => TAPS[columnParity][column].map((c) => r * c)))
  return tf.tensor2d(rows)
}

/** Zeros around the map for the even and for the odd rows of the output. */
const PADDINGS: readonly [number, number][][] = [0, 1].map((parity) => [
  [0, 0],
  [1 - parity, parity],
  [1, 1],
  [0, 0],
])

/**
 * A 3x3 convolution, padding 1, of the map with every pixel doubled: (B, H, W, in) → (B, 2H, 2W, out); weight (out, in, 3, 3). Over doubled
 * pixels nine taps are four, so each parity of output rows and columns has a 2x2 kernel of its own over the map as it is: less than half the
 * work, and the doubled map never exists.
 */
export class UpsampledConv2d {
  private readonly weight: Parameter
  private readonly bias: Parameter

  constructor(parameters: Parameters, name: string, inputs: number, outputs: number) {
    const bound = { uniform: 1 / Math.sqrt(9 * inputs) } // torch's default
    this.weight = parameters.add(`${name}.weight`, [outputs, inputs, 3, 3], bound, { layout: [2, 3, 1, 0] })
    this.bias = parameters.add(`${name}.bias`, [outputs], bound)
  }

  forward(x: tf.Tensor): tf.Tensor4D {
    return onTape(x, undefined, (save) => {
      save([x])
      return { value: this.compute(x), backward: (dy, [input]) => this.backward(dy, input) }
    }) as tf.Tensor4D
  }

  /** Kernels of even and odd rows, (2, 2, in, 2·out) each: both parities of columns side by side. */
  private kernels(): tf.Tensor4D[] {
    const [outputs, inputs] = this.weight.shape
    return tf.tidy(() => {
      const whole = tf.matMul(splitting(), tf.reshape(this.weight.value(), [9, inputs * outputs])) // (16, in·out)
      const byTap = tf.transpose(tf.reshape(whole, [8, 2, inputs, outputs]), [0, 2, 1, 3])
      return tf.split(tf.reshape(byTap, [4, 2, inputs, 2 * outputs]), 2, 0) as tf.Tensor4D[]
    })
  }

  /** The forward pass off the tape. */
  compute(x: tf.Tensor): tf.Tensor4D {
    const [batch, height, width] = x.shape
    const [outputs] = this.weight.shape
    return tf.tidy(() => {
      const rows = this.kernels().map((kernel, parity) =>
        tf.tidy(() => {
          const y = tf.conv2d(x as tf.Tensor4D, kernel, 1, PADDINGS[parity] as never) // (B, H, W + 1, 2·out)
          // Window q gives columns 2q − 1 and 2q, so that both side by side are all columns in order, and one more at each end.
          const columns = tf.reshape(y, [batch * height, 1, 2 * width + 2, outputs])
          return tf.slice(columns, [0, 0, 1, 0], [-1, -1, 2 * width, -1])
        }),
      )
      const y = tf.add(tf.concat(rows, 1), this.bias.value())
      return tf.reshape(y, [batch, 2 * height, 2 * width, outputs])
    })
  }

  private backward(dy: tf.Tensor, x: tf.Tensor): tf.Tensor {
    const [batch, height, width, inputs] = x.shape
    const [outputs] = this.weight.shape
    return tf.tidy(() => {
      const dBias = tf.reshape(columnSums(flatten(dy)), [-1])
      const rows = tf.split(tf.reshape(dy, [batch * height, 2, 2 * width, outputs]), 2, 1)
      dy.dispose()
      const gradients = this.kernels().map((kernel, parity) =>
        tf.tidy(() => {
          const columns = tf.pad(rows[parity], [[0, 0], [0, 0], [1, 1], [0, 0]]) // prettier-ignore
          const dY = tf.reshape(columns, [batch, height, width + 1, 2 * outputs]) as tf.Tensor4D
          const padded = tf.pad(x, PADDINGS[parity] as [number, number][]) as tf.Tensor4D
          const dw = kernelGradient(padded, dY, kernel.shape, 1, 'valid')
          const dx = tf.conv2dTranspose(dY, kernel, padded.shape, 1, 'valid')
          return [tf.slice(dx, [0, 1 - parity, 1, 0], [-1, height, width, -1]), dw]
        }),
      )
      const byTap = tf.reshape(tf.concat(gradients.map(([, dw]) => dw), 0), [8, inputs, 2, outputs]) // prettier-ignore
      const whole = tf.reshape(tf.transpose(byTap, [0, 2, 1, 3]), [16, inputs * outputs])
      const dWeight = tf.matMul(splitting(), whole as tf.Tensor2D, true, false)
      this.weight.accumulate(tf.keep(tf.reshape(dWeight, [3, 3, inputs, outputs])))
      this.bias.accumulate(tf.keep(dBias))
      return tf.add(gradients[0][0], gradients[1][0])
    })
  }
}
