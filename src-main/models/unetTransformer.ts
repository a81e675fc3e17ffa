import * as tf from '@tensorflow/tfjs-core'
import { activations } from '../nn/activations.ts'
import { attend } from '../nn/attention.ts'
import { Conv2d } from '../nn/conv.ts'
import { GroupNorm } from '../nn/groupNorm.ts'
import { LayerNorm, Linear } from '../nn/layers.ts'
import type { Parameter, Parameters } from '../nn/parameters.ts'
import { flatten } from '../nn/tape.ts'

/** What a transformer attends to besides its own map: keys and values (B, n, C) of a context. */
export interface KeysValues {
  keys: tf.Tensor
  values: tf.Tensor
}

export interface TransformerConfig {
  channels: number
  heads: number
  /** Width of the context's tokens. */
  contextWidth: number
  groups: number
  /** Whether the projections around the block are published as linear layers instead of 1 x 1 convolutions. */
  linearProjection: boolean
}

/** Scores of attention that exist at a time, 32 MB; two maps of 64 x 64 positions with 8 heads have 1 GB of them. */
const SCORES = 1 << 23

/** Multi-head attention with published names to_q, to_k, to_v, to_out.0 (diffusers' CrossAttention, later Attention). */
class Attention {
  private readonly heads: number
  private readonly query: Linear
  private readonly key: Linear
  private readonly value: Linear
  private readonly out: Linear

  constructor(parameters: Parameters, name: string, width: number, contextWidth: number, heads: number) {
    const linear = (layer: string, from: number) =>
      new Linear(parameters, `${name}.${layer}`, from, width, { bias: false })
    this.heads = heads
    this.query = linear('to_q', width)
    this.key = linear('to_k', contextWidth)
    this.value = linear('to_v', contextWidth)
    this.out = new Linear(parameters, `${name}.to_out.0`, width, width)
  }

  /** (B, n, contextWidth) → keys and values (B, n, C). */
  keysValues(context: tf.Tensor): KeysValues {
    return { keys: this.key.compute(context), values: this.value.compute(context) }
  }

  /** (B, N, C) → (B, N, C). */
  compute(x: tf.Tensor, { keys, values }: KeysValues): tf.Tensor {
    return this.out.compute(attend(this.query.compute(x), keys, values, this.heads, undefined, SCORES))
  }
}

/** Rows that the feed-forward layer takes at once: its inside is eight times as wide as its input. */
const FEED_FORWARD_ROWS = 512

/** Linear to 2·4C, the first half times the GELU of the second, linear back to C (GEGLU, arXiv 2002.05202). */
class FeedForward {
  private readonly weight: Parameter
  private readonly bias: Parameter
  private readonly back: Linear
  private readonly inner: number

  constructor(parameters: Parameters, name: string, width: number) {
    this.inner = 4 * width
    const bound = { uniform: 1 / Math.sqrt(width) } // torch's default
    this.weight = parameters.add(`${name}.net.0.proj.weight`, [2 * this.inner, width], bound)
    this.bias = parameters.add(`${name}.net.0.proj.bias`, [2 * this.inner], bound)
    this.back = new Linear(parameters, `${name}.net.2`, this.inner, width)
  }

  /** (…, C) → (…, C). */
  compute(x: tf.Tensor): tf.Tensor {
    const rows = flatten(x)
    const [weight, bias] = [this.weight.value() as tf.Tensor2D, this.bias.value()]
    const half = (block: tf.Tensor2D, start: number) =>
      tf.add(
        tf.matMul(block, tf.slice(weight, [start, 0], [this.inner, -1]), false, true),
        tf.slice(bias, [start], [this.inner]),
      )
    const parts: tf.Tensor[] = []
    for (let row = 0; row < rows.shape[0]; row += FEED_FORWARD_ROWS)
      parts.push(
        tf.tidy(() => {
          const block = tf.slice(rows, [row, 0], [Math.min(FEED_FORWARD_ROWS, rows.shape[0] - row), -1])
          const gate = tf.tidy(() => activations.gelu.of(half(block, this.inner)))
          return this.back.compute(tf.mul(half(block, 0), gate))
        }),
      )
    return tf.reshape(parts.length === 1 ? parts[0] : tf.concat(parts, 0), x.shape)
  }
}

/**
 * diffusers' Transformer2DModel with one block: a map's pixels, as tokens, attend to each other and to a context, then pass a
 * feed-forward layer; all of it is added to the map. Inference only.
 */
export class Transformer {
  private readonly norm: GroupNorm
  private readonly projectIn: Linear | Conv2d
  private readonly projectOut: Linear | Conv2d
  private readonly norm1: LayerNorm
  private readonly selfAttention: Attention
  private readonly norm2: LayerNorm
  private readonly crossAttention: Attention
  private readonly norm3: LayerNorm
  private readonly feedForward: FeedForward

  constructor(parameters: Parameters, name: string, config: TransformerConfig) {
    const { channels, heads, contextWidth, groups, linearProjection } = config
    const block = `${name}.transformer_blocks.0`
    const projection = (layer: string) =>
      linearProjection
        ? new Linear(parameters, `${name}.${layer}`, channels, channels)
        : new Conv2d(parameters, `${name}.${layer}`, channels, channels, { kernel: 1 })
    const norm = (layer: string) => new LayerNorm(parameters, `${block}.${layer}`, channels, 'none')
    this.norm = new GroupNorm(parameters, `${name}.norm`, channels, { groups, eps: 1e-6 })
    this.projectIn = projection('proj_in')
    this.norm1 = norm('norm1')
    this.selfAttention = new Attention(parameters, `${block}.attn1`, channels, channels, heads)
    this.norm2 = norm('norm2')
    this.crossAttention = new Attention(parameters, `${block}.attn2`, channels, contextWidth, heads)
    this.norm3 = norm('norm3')
    this.feedForward = new FeedForward(parameters, `${block}.ff`, channels)
    this.projectOut = projection('proj_out')
  }

  /** What `compute` needs of a context (B, n, contextWidth). */
  keysValues(context: tf.Tensor3D): KeysValues {
    return this.crossAttention.keysValues(context)
  }

  /** x (B, H, W, C) → (B, H, W, C). */
  compute(x: tf.Tensor4D, context: KeysValues): tf.Tensor4D {
    const [batch, , , channels] = x.shape
    // Each stage frees what it made but its result, and the one before it.
    let tokens = tf.tidy(() => tf.reshape(this.projectIn.compute(this.norm.compute(x)), [batch, -1, channels])) // (B, H·W, C)
    const addTo = (change: (tokens: tf.Tensor) => tf.Tensor) => {
      const next = tf.tidy(() => tf.add(tokens, change(tokens)))
      tokens.dispose()
      tokens = next as tf.Tensor3D
    }
    addTo((h) => {
      const normed = this.norm1.compute(h).value
      return this.selfAttention.compute(normed, this.selfAttention.keysValues(normed))
    })
    addTo((h) => this.crossAttention.compute(this.norm2.compute(h).value, context))
    addTo((h) => this.feedForward.compute(this.norm3.compute(h).value))
    return tf.tidy(() => {
      const result = tf.add(x, tf.reshape(this.projectOut.compute(tokens), x.shape)) as tf.Tensor4D
      tokens.dispose()
      return result
    })
  }
}
