import * as tf from '@tensorflow/tfjs-core'
import type { Parameter, Parameters } from './parameters.ts'
import { columnSums, flatten, onTape } from './tape.ts'

/** Zeros around a map: the same on all sides, per axis, or [[top, bottom], [left, right]]. */
export type Padding =
  | number
  | readonly [height: number, width: number]
  | readonly [readonly [top: number, bottom: number], readonly [left: number, right: number]]

export interface Conv2dOptions {
  kernel: number | readonly [height: number, width: number]
  stride?: number
  padding?: Padding
  /** 1, or the number of channels: then each channel has a kernel of its own (depthwise), for inference only. */
  groups?: number
  bias?: boolean
}

type Sides = readonly [readonly [number, number], readonly [number, number]]

const pair = (x: number | readonly [number, number]): readonly [number, number] => (typeof x === 'number' ? [x, x] : x)

function sidesOf(padding: Padding): Sides {
  const [height, width] = typeof padding === 'number' ? [padding, padding] : padding
  const both = (side: number | readonly [number, number]) => pair(side)
  return [both(height), both(width)]
}

/** The zeros that TensorFlow's padding "same" would put before and after an axis. */
function samePadding(size: number, kernel: number, stride: number): [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size)
  return [Math.floor(total / 2), Math.ceil(total / 2)]
}

/** The gradient of a kernel of the given shape (height, width, in, out), from the input and the output's gradient. */
export const kernelGradient = (
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: number[],
  strides: number,
  pad: 'same' | 'valid',
): tf.Tensor4D =>
  tf.engine().runKernel(tf.Conv2DBackpropFilter, { x, dy }, { strides, pad, dataFormat: 'NHWC', filterShape })

/**
 * torch.nn.Conv2d on maps whose channels come last: (B, H, W, in) → (B, H', W', out), H' = ⌊(H + padding − kernel) / stride⌋ + 1.
 * The weight is published (out, in / groups, height, width) and kept in TensorFlow's order.
 */
export class Conv2d {
  private readonly weight: Parameter
  private readonly bias: Parameter | undefined
  private readonly kernel: readonly [number, number]
  private readonly stride: number
  private readonly sides: Sides
  private readonly depthwise: boolean
  /** A matrix product over the channels. */
  private readonly pointwise: boolean

  constructor(parameters: Parameters, name: string, inputs: number, outputs: number, options: Conv2dOptions) {
    const { stride = 1, padding = 0, groups = 1, bias = true } = options
    if (groups !== 1 && (groups !== inputs || groups !== outputs))
      throw new Error(`${name}: ${groups} groups of ${inputs} → ${outputs} channels are neither one nor depthwise`)
    this.kernel = pair(options.kernel)
    this.stride = stride
    this.sides = sidesOf(padding)
    this.depthwise = groups > 1
    this.pointwise = [...this.kernel, stride].every((n) => n === 1) && this.sides.flat().every((n) => n === 0)
    const [height, width] = this.kernel
    const bound = { uniform: 1 / Math.sqrt((inputs / groups) * height * width) } // torch's default
    this.weight = parameters.add(`${name}.weight`, [outputs, inputs / groups, height, width], bound, {
      layout: this.depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0],
    })
    if (bias) this.bias = parameters.add(`${name}.bias`, [outputs], bound)
  }

  /** With an `anchor` x is data and gets no gradient; see `Linear.forward`. */
  forward(x: tf.Tensor, anchor?: tf.Scalar): tf.Tensor4D {
    return onTape(x, anchor, (save) => {
      save([x])
      return {
        value: this.compute(x),
        backward: (dy, [input]) => {
          const dx = this.backward(dy, input, !anchor)
          dy.dispose()
          return dx
        },
      }
    }) as tf.Tensor4D
  }

  /** The forward pass off the tape. */
  compute(x: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() => {
      const w = this.weight.value() as tf.Tensor4D
      const y = this.pointwise ? this.product(x, w) : this.convolution(x as tf.Tensor4D, w)
      return (this.bias ? tf.add(y, this.bias.value()) : y) as tf.Tensor4D
    })
  }

  private product(x: tf.Tensor, w: tf.Tensor4D): tf.Tensor {
    const [, , inputs, outputs] = w.shape
    return tf.reshape(tf.matMul(flatten(x), tf.reshape(w, [inputs, outputs])), [...x.shape.slice(0, -1), outputs])
  }

  private convolution(x: tf.Tensor4D, w: tf.Tensor4D): tf.Tensor4D {
    const [height, width] = this.sides.map((side) => [...side] as [number, number])
    const convolve = this.depthwise ? tf.depthwiseConv2d : tf.conv2d
    return convolve(x, w, this.stride, [[0, 0], height, width, [0, 0]])
  }

  /** The input's gradient (0 where none is asked for), with the parameters' handed over on the way. */
  backward(dy: tf.Tensor, x: tf.Tensor, inputGradient: boolean): tf.Tensor {
    if (this.depthwise) throw new Error('depthwise convolutions are not trained')
    return tf.tidy(() => {
      const [dx, dw] = this.pointwise
        ? this.productGradients(flatten(dy), x, inputGradient)
        : this.convolutionGradients(dy as tf.Tensor4D, x as tf.Tensor4D, inputGradient)
      this.weight.accumulate(tf.keep(dw))
      this.bias?.accumulate(tf.keep(tf.reshape(columnSums(flatten(dy)), [-1])))
      return dx ?? tf.scalar(0)
    })
  }

  private productGradients(dy: tf.Tensor2D, x: tf.Tensor, inputGradient: boolean): [tf.Tensor | undefined, tf.Tensor] {
    const [outputs, inputs] = this.weight.shape
    const dw = tf.reshape(tf.matMul(flatten(x), dy, true, false), [1, 1, inputs, outputs])
    if (!inputGradient) return [undefined, dw]
    const dx = tf.tidy(() => tf.matMul(dy, tf.reshape(this.weight.value(), [inputs, outputs]), false, true))
    return [tf.reshape(dx, x.shape), dw]
  }

  /**
   * TensorFlow's kernels of both gradients are two to four times faster with its own paddings "valid" and "same" than with
   * explicit zeros; so where ours is neither, the map is padded first.
   */
  private convolutionGradients(
    dy: tf.Tensor4D,
    x: tf.Tensor4D,
    inputGradient: boolean,
  ): [tf.Tensor | undefined, tf.Tensor] {
    const [height, width] = this.sides.map((side) => [...side] as [number, number])
    const isSame = [height, width].every(
      (side, i) => `${side}` === `${samePadding(x.shape[i + 1], this.kernel[i], this.stride)}`,
    )
    const isPadded = !isSame && this.sides.flat().some((n) => n > 0)
    const input = isPadded ? tf.pad(x, [[0, 0], height, width, [0, 0]]) : x
    const pad = isSame ? 'same' : 'valid'
    const [outputs, inputs] = this.weight.shape
    const dw = kernelGradient(input, dy, [...this.kernel, inputs, outputs], this.stride, pad)
    if (!inputGradient) return [undefined, dw]
    const dx = tf.tidy(() => {
      const w = this.weight.value() as tf.Tensor4D
      const whole = tf.conv2dTranspose(dy, w, input.shape, this.stride, pad)
      return isPadded ? tf.slice(whole, [0, height[0], width[0], 0], x.shape) : whole
    })
    return [dx, dw]
  }
}
