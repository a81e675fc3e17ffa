import * as tf from '@tensorflow/tfjs-core'
import { activations } from './activations.ts'
import type { ActivationName } from './activations.ts'
import { Conv2d } from './conv.ts'
import type { Conv2dOptions } from './conv.ts'
import { numbersOf } from './numbers.ts'
import type { Parameter, Parameters } from './parameters.ts'

export interface ConvNormOptions extends Omit<Conv2dOptions, 'bias'> {
  activation: ActivationName
  eps?: number
}

/**
 * A convolution without bias, batch normalization in evaluation mode (torch.nn.BatchNorm2d) and an activation, for inference:
 * (B, H, W, in) → (B, H', W', out). Once folded, the normalization costs one addition.
 */
export class ConvNorm {
  private readonly conv: Conv2d
  private readonly kernel: Parameter
  private readonly gain: Parameter
  private readonly shift: Parameter
  private readonly mean: Parameter
  private readonly variance: Parameter
  private readonly activation: ActivationName
  private readonly eps: number

  /** `conv` and `norm` are the published names of the two modules. */
  constructor(
    parameters: Parameters,
    conv: string,
    norm: string,
    inputs: number,
    outputs: number,
    options: ConvNormOptions,
  ) {
    const { activation, eps = 1e-5, ...convolution } = options
    this.activation = activation
    this.eps = eps
    this.conv = new Conv2d(parameters, conv, inputs, outputs, { ...convolution, bias: false })
    this.kernel = parameters.get(`${conv}.weight`)
    this.gain = parameters.add(`${norm}.weight`, [outputs], { constant: 1 })
    this.shift = parameters.add(`${norm}.bias`, [outputs], { constant: 0 })
    this.mean = parameters.add(`${norm}.running_mean`, [outputs], { constant: 0 }, { trained: false })
    this.variance = parameters.add(`${norm}.running_var`, [outputs], { constant: 1 }, { trained: false })
  }

  /**
   * Moves the normalization into the convolution, in double precision; needed once after every loading. The parameters then still
   * describe the same network: gain 1, mean 0, variance 1 − ε.
   */
  fold(): void {
    const numbers = (parameter: Parameter) => numbersOf(() => parameter.value())
    const [gain, shift, mean, variance] = [this.gain, this.shift, this.mean, this.variance].map(numbers)
    const scale = Float64Array.from(gain, (g, i) => g / Math.sqrt(variance[i] + this.eps))
    const kernel = this.kernel.toPublished(numbers(this.kernel)) // (out, in, h, w)
    const size = kernel.length / scale.length
    const scaled = kernel.map((w, i) => w * scale[Math.floor(i / size)])
    const moved = shift.map((b, i) => b - mean[i] * scale[i])
    const set = (parameter: Parameter, value: Float32Array) =>
      parameter.upload('value', (start, count) =>
        value.subarray((start * value.length) / gain.length, ((start + count) * value.length) / gain.length),
      )
    set(this.kernel, scaled)
    set(this.shift, moved)
    set(this.gain, gain.fill(1))
    set(this.mean, mean.fill(0))
    set(this.variance, variance.fill(1 - this.eps))
  }

  compute(x: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(
      () => activations[this.activation].of(tf.add(this.conv.compute(x), this.shift.value())) as tf.Tensor4D,
    )
  }
}
