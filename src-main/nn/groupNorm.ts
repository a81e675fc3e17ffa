import * as tf from '@tensorflow/tfjs-core'
import type { Conv2d } from './conv.ts'
import type { Activation, ActivationName } from './activations.ts'
import { activations } from './activations.ts'
import type { Parameter, Parameters } from './parameters.ts'
import { onTape } from './tape.ts'

export interface GroupNormOptions {
  /** Groups of neighbouring channels; 1 normalises each sample as a whole. */
  groups: number
  eps?: number
  activation?: ActivationName
}

/** Mean over the positions of (B, N, C) → (B, 1, C), as a product with ones: one pass at the speed of BLAS. */
const meanOverPositions = (x: tf.Tensor3D): tf.Tensor3D => {
  const [batch, positions] = x.shape
  return tf.matMul(tf.fill([batch, 1, positions], 1 / positions) as tf.Tensor3D, x)
}

const positionsFirst = (x: tf.Tensor): tf.Tensor3D => tf.reshape(x, [x.shape[0], -1, x.shape[x.shape.length - 1]])

/**
 * torch.nn.GroupNorm (biased variance over a group's channels and all positions) followed by an activation, channels last:
 * (B, …, C) → (B, …, C). The normalisation, gain and bias are folded into one scale and one shift per sample and channel.
 */
export class GroupNorm {
  private readonly weight: Parameter
  private readonly bias: Parameter
  private readonly channels: number
  private readonly groups: number
  private readonly eps: number
  private readonly activation: Activation

  constructor(parameters: Parameters, name: string, channels: number, options: GroupNormOptions) {
    const { groups, eps = 1e-5, activation = 'none' } = options
    if (channels % groups) throw new Error(`${name}: ${channels} channels do not fall into ${groups} groups`)
    this.weight = parameters.add(`${name}.weight`, [channels], { constant: 1 })
    this.bias = parameters.add(`${name}.bias`, [channels], { constant: 0 })
    this.channels = channels
    this.groups = groups
    this.eps = eps
    this.activation = activations[activation]
  }

  forward(x: tf.Tensor): tf.Tensor {
    return onTape(x, undefined, (save) => {
      const { value, mean, rstd } = this.computeWithStatistics(x)
      save([x, mean, rstd])
      return { value, backward: (dy, saved) => this.backward(dy, saved) }
    })
  }

  /** The forward pass off the tape. */
  compute(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => this.computeWithStatistics(x).value)
  }

  /** The average of (B, 1, C) over each group's channels, given to each of them: (B, 1, C). */
  private overGroup(x: tf.Tensor): tf.Tensor3D {
    const { channels, groups } = this
    const grouped = tf.mean(tf.reshape(x, [-1, groups, channels / groups]), 2, true)
    return tf.reshape(tf.tile(grouped, [1, 1, channels / groups]), [-1, 1, channels])
  }

  /** Value with each sample's and channel's mean and 1 / SD, (B, 1, C). */
  computeWithStatistics(x: tf.Tensor): { value: tf.Tensor; mean: tf.Tensor; rstd: tf.Tensor } {
    const flat = positionsFirst(x)
    const mean = this.overGroup(meanOverPositions(flat)) // (B, 1, C)
    const variance = tf.tidy(() => this.overGroup(meanOverPositions(tf.squaredDifference(flat, mean))))
    const rstd = tf.rsqrt(tf.add(variance, this.eps))
    const value = tf.tidy(() => tf.reshape(this.activation.of(this.normalised(flat, mean, rstd)), x.shape))
    return { value, mean, rstd }
  }

  /** The output once more, from the input and its statistics. */
  again([x, mean, rstd]: tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const z = this.normalised(positionsFirst(x), mean, rstd)
      return tf.reshape(this.activation.of(z), x.shape)
    })
  }

  /** What the activation is applied to, (B, N, C). */
  private normalised(flat: tf.Tensor, mean: tf.Tensor, rstd: tf.Tensor): tf.Tensor3D {
    const scale = tf.mul(this.weight.value(), rstd) // (B, 1, C)
    const shift = tf.sub(this.bias.value(), tf.mul(mean, scale))
    return tf.add(tf.mul(flat, scale), shift)
  }

  /** dL/dx from dL/dy and [x, mean, rstd]; x and dy are used up. */
  backward(dy: tf.Tensor, [x, mean, rstd]: tf.Tensor[]): tf.Tensor {
    const { shape } = x
    return tf.tidy(() => {
      const flat = positionsFirst(x)
      const dz = tf.tidy(
        () => this.activation.backward(positionsFirst(dy), this.normalised(flat, mean, rstd)) as tf.Tensor3D,
      )
      dy.dispose()
      const positions = flat.shape[1]
      // Averages over positions of dz and of dz·n, n = (x − mean)·rstd, each (B, 1, C).
      const average = meanOverPositions(dz)
      const product = tf.tidy(() => meanOverPositions(tf.mul(dz, flat)))
      const averageNormal = tf.mul(rstd, tf.sub(product, tf.mul(mean, average)))
      const gain = this.weight.value()
      // dx = rstd (gain·dz − ⟨gain·dz⟩ − n ⟨gain·dz·n⟩), ⟨ ⟩ the average over a group: one line in dz and x.
      const slope = tf.mul(tf.neg(tf.square(rstd)), this.overGroup(tf.mul(gain, averageNormal)))
      const offset = tf.add(tf.mul(rstd, this.overGroup(tf.mul(gain, average))), tf.mul(mean, slope))
      const scale = tf.mul(gain, rstd)
      const dx = tf.tidy(() => tf.sub(tf.add(tf.mul(dz, scale), tf.mul(flat, slope)), offset))
      x.dispose()
      gain.dispose()
      this.weight.accumulate(tf.keep(tf.mul(tf.sum(averageNormal, [0, 1]), positions)))
      this.bias.accumulate(tf.keep(tf.mul(tf.sum(average, [0, 1]), positions)))
      return tf.reshape(dx, shape)
    })
  }
}

/**
 * GroupNorm, activation and convolution as one entry of the tape, which keeps the input alone: the normalised map is computed again for the
 * backward pass.
 */
export class NormedConv2d {
  private readonly norm: GroupNorm
  private readonly conv: Conv2d

  constructor(norm: GroupNorm, conv: Conv2d) {
    this.norm = norm
    this.conv = conv
  }

  /** (B, H, W, in) → (B, H', W', out). */
  forward(x: tf.Tensor): tf.Tensor {
    return onTape(x, undefined, (save) => {
      const { value: normed, mean, rstd } = this.norm.computeWithStatistics(x)
      save([x, mean, rstd])
      const value = this.conv.compute(normed)
      normed.dispose()
      return {
        value,
        backward: (dy, saved) =>
          tf.tidy(() => {
            const dNormed = tf.tidy(() => this.conv.backward(dy, this.norm.again(saved), true))
            dy.dispose()
            return this.norm.backward(dNormed, saved)
          }),
      }
    })
  }
}
