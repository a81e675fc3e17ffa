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

/** What averages over the positions of (B, N, C) as a product, at the speed of BLAS: (B, 1, N). */
const averaging = ({ shape: [batch, positions] }: tf.Tensor3D) =>
  tf.fill([batch, 1, positions], 1 / positions) as tf.Tensor3D

const positionsFirst = (x: tf.Tensor): tf.Tensor3D => tf.reshape(x, [x.shape[0], -1, x.shape[x.shape.length - 1]])

/** The average of (B, 1, C) over each group's channels, given to each of them: (B, 1, C). */
const overGroup = (x: tf.Tensor3D, member: tf.Tensor3D): tf.Tensor3D =>
  tf.matMul(tf.matMul(x, member), member, false, true)

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
  /** Which channel is in which group, (C, G): times its own transpose it averages over groups. */
  private readonly membership: Float32Array

  constructor(parameters: Parameters, name: string, channels: number, options: GroupNormOptions) {
    const { groups, eps = 1e-5, activation = 'none' } = options
    if (channels % groups) throw new Error(`${name}: ${channels} channels do not fall into ${groups} groups`)
    this.weight = parameters.add(`${name}.weight`, [channels], { constant: 1 })
    this.bias = parameters.add(`${name}.bias`, [channels], { constant: 0 })
    this.channels = channels
    this.groups = groups
    this.eps = eps
    this.activation = activations[activation]
    const size = channels / groups
    this.membership = Float32Array.from({ length: channels * groups }, (_, i) =>
      Math.floor(i / groups / size) === i % groups ? 1 / Math.sqrt(size) : 0,
    )
  }

  forward(x: tf.Tensor): tf.Tensor {
    return onTape(x, undefined, (save) => {
      const { value, saved } = this.run(x)
      save(saved)
      return {
        value,
        backward: (dy, kept) =>
          tf.tidy(() => {
            const z = this.normalised(kept)
            const dz = this.throughActivation(dy, z)
            tf.dispose([dy, z])
            return this.backward(dz, kept)
          }),
      }
    })
  }

  /** The forward pass off the tape. */
  compute(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => this.run(x).value)
  }

  /** The value, and what the backward pass needs: x, and (B, 1, C) each: its scale and shift, its mean and 1 / SD. */
  run(x: tf.Tensor): { value: tf.Tensor; saved: tf.Tensor[] } {
    const flat = positionsFirst(x)
    const [average, member] = [averaging(flat), this.member()]
    const mean = overGroup(tf.matMul(average, flat), member)
    const variance = tf.tidy(() => overGroup(tf.matMul(average, tf.squaredDifference(flat, mean)), member))
    const rstd = tf.rsqrt(tf.add(variance, this.eps))
    const scale = tf.mul(this.weight.value(), rstd)
    const shift = tf.sub(this.bias.value(), tf.mul(mean, scale))
    const saved = [x, scale, shift, mean, rstd]
    return { value: this.activated(this.normalised(saved), x.shape), saved }
  }

  /** (1, C, G), see `overGroup`. */
  private member(): tf.Tensor3D {
    return tf.tensor3d(this.membership, [1, this.channels, this.groups])
  }

  /** What the activation is applied to, (B, N, C), from what `run` saved. */
  normalised([x, scale, shift]: tf.Tensor[]): tf.Tensor3D {
    return tf.tidy(() => tf.add(tf.mul(positionsFirst(x), scale), shift))
  }

  /** The value, from what `normalised` gave. */
  activated(z: tf.Tensor3D, shape: number[]): tf.Tensor {
    return tf.tidy(() => tf.reshape(this.activation.of(z), shape))
  }

  /** dL/dz, z as `normalised` gave it, from dL/dvalue. */
  throughActivation(dy: tf.Tensor, z: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => this.activation.backward(positionsFirst(dy), z) as tf.Tensor3D)
  }

  /** dL/dx from dL/dz and what `run` saved; x and dz are used up. */
  backward(dz: tf.Tensor3D, [x, scale, , mean, rstd]: tf.Tensor[]): tf.Tensor {
    const { shape } = x
    return tf.tidy(() => {
      const flat = positionsFirst(x)
      const positions = flat.shape[1]
      // Averages over positions of dz and of dz·n, n = (x − mean)·rstd, each (B, 1, C).
      const [averages, member] = [averaging(flat), this.member()]
      const average = tf.matMul(averages, dz)
      const product = tf.tidy(() => tf.matMul(averages, tf.mul(dz, flat)))
      const averageNormal: tf.Tensor3D = tf.mul(rstd, tf.sub(product, tf.mul(mean, average)))
      // dx = rstd (gain·dz − ⟨gain·dz⟩ − n ⟨gain·dz·n⟩), ⟨ ⟩ the average over a group, and scale = gain·rstd: a line in dz and x.
      const gain = this.weight.value()
      const slope = tf.mul(tf.square(rstd), overGroup(tf.mul(gain, averageNormal), member))
      const offset = tf.sub(tf.mul(rstd, overGroup(tf.mul(gain, average), member)), tf.mul(mean, slope))
      gain.dispose()
      const dx = tf.tidy(() => tf.sub(tf.mul(dz, scale), tf.add(tf.mul(flat, slope), offset)))
      tf.dispose([x, dz])
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
      const { value: normed, saved } = this.norm.run(x)
      save(saved)
      const value = this.conv.compute(normed)
      normed.dispose()
      return {
        value,
        backward: (dy, kept) =>
          tf.tidy(() => {
            const z = this.norm.normalised(kept)
            const dNormed = tf.tidy(() => this.conv.backward(dy, this.norm.activated(z, kept[0].shape), true))
            dy.dispose()
            const dz = this.norm.throughActivation(dNormed, z)
            tf.dispose([dNormed, z])
            return this.norm.backward(dz, kept)
          }),
      }
    })
  }
}
