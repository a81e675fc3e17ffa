import * as tf from '@tensorflow/tfjs-core'
import * as v from 'valibot'
import { formatError } from '../base/errors.ts'
import { attend } from '../nn/attention.ts'
import { activate, LayerNorm, Linear } from '../nn/layers.ts'
import type { Parameter, Parameters } from '../nn/parameters.ts'
import { onTape, sum } from '../nn/tape.ts'
import { count, parseConfig } from './modelConfig.ts'

const schema = v.object({
  latent_channels: count,
  sample_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_tokens: count,
  token_width: count,
})

export interface LatentDenoiserConfig {
  /** Latents are side x side x channels. */
  channels: number
  side: number
  width: number
  mlpWidth: number
  layers: number
  heads: number
  /** Of the condition: a class token and the tokens of a square of patches, of some width. */
  tokens: number
  tokenWidth: number
}

/** From the config.json of class `LatentDenoiser`. `where` names the file in errors. */
export function latentDenoiserConfig(json: Record<string, unknown>, where: string): LatentDenoiserConfig {
  const config = parseConfig(schema, json, where)
  const { hidden_size, num_attention_heads, num_tokens, sample_size } = config
  const perSide = Math.sqrt(num_tokens - 1)
  if (hidden_size % num_attention_heads)
    throw formatError(where, 'num_attention_heads', `a divisor of ${hidden_size}`, `${num_attention_heads}`)
  if (!Number.isInteger(sample_size / perSide))
    throw formatError(
      where,
      'num_tokens',
      `one more than the square of a divisor of sample_size, ${sample_size}`,
      `${num_tokens}`,
    )
  return {
    channels: config.latent_channels,
    side: sample_size,
    width: hidden_size,
    mlpWidth: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: num_attention_heads,
    tokens: num_tokens,
    tokenWidth: config.token_width,
  }
}

/** What a condition adds: to the time embedding (B, D), and to each place of the latent (B, N, D). */
export type LatentCondition = Record<'whole' | 'places', tf.Tensor>

/** The slowest wave of a timestep's embedding takes this many timesteps, over 2π. */
const MAX_PERIOD = 10_000

/** A pre-norm transformer block whose norms are scaled and shifted as the time embedding says. */
class Block {
  private readonly heads: number
  private readonly modulation: Linear
  private readonly norms: readonly LayerNorm[]
  private readonly qkv: Linear
  private readonly out: Linear
  private readonly up: Linear
  private readonly down: Linear

  constructor(parameters: Parameters, name: string, { width, mlpWidth, heads }: LatentDenoiserConfig) {
    const linear = (layer: string, from: number, to: number) => new Linear(parameters, `${name}.${layer}`, from, to)
    this.heads = heads
    this.modulation = linear('modulation', width, 4 * width)
    this.norms = [1, 2].map((i) => new LayerNorm(parameters, `${name}.norm${i}`, width, 'none'))
    this.qkv = linear('attention.qkv', width, 3 * width)
    this.out = linear('attention.out', width, width)
    this.up = linear('mlp.up', width, mlpWidth)
    this.down = linear('mlp.down', mlpWidth, width)
  }

  /** x (B, N, D), SiLU of the time embedding (B or 1, D) → (B, N, D). */
  forward(x: tf.Tensor, time: tf.Tensor): tf.Tensor {
    const changes = tf.split(tf.expandDims(this.modulation.forward(time), 1), 4, 2) // (B or 1, 1, D) each
    const normed = (h: tf.Tensor, i: number) => modulated(this.norms[i].forward(h), changes[2 * i], changes[2 * i + 1])
    const [q, k, v] = tf.split(this.qkv.forward(normed(x, 0)), 3, 2)
    const attended = sum(x, this.out.forward(attend(q, k, v, this.heads)))
    return sum(attended, this.down.forward(activate(this.up.forward(normed(attended, 1)), 'relu')))
  }
}

const modulated = (h: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor =>
  tf.add(tf.mul(h, tf.add(scale, 1)), shift)

/**
 * The demo pack's denoiser: a transformer over the places of a small latent, with the timestep in its norms (as in DiT, arXiv 2212.09748).
 * Each patch token of the condition is added to the places that it covers, the class token to all of them and to the time embedding; a
 * condition of zeros adds nothing. It predicts v (`Prediction`). On the tape where there is one.
 */
export class LatentDenoiser {
  readonly config: LatentDenoiserConfig
  private readonly input: Linear
  private readonly positions: Parameter
  private readonly time1: Linear
  private readonly time2: Linear
  private readonly classToken: Linear
  private readonly patchTokens: Linear
  private readonly blocks: readonly Block[]
  private readonly norm: LayerNorm
  private readonly output: Linear

  constructor(parameters: Parameters, config: LatentDenoiserConfig) {
    const { channels, side, width, layers, tokenWidth } = config
    this.config = config
    this.input = new Linear(parameters, 'input', channels, width)
    this.positions = parameters.add('positions', [side ** 2, width], { normal: 0.5 })
    this.time1 = new Linear(parameters, 'time.0', width, width)
    this.time2 = new Linear(parameters, 'time.1', width, width)
    // Without bias: no condition is a condition of zeros.
    this.classToken = new Linear(parameters, 'condition.class_token', tokenWidth, width, { bias: false })
    this.patchTokens = new Linear(parameters, 'condition.patch_tokens', tokenWidth, width, { bias: false })
    this.blocks = Array.from({ length: layers }, (_, i) => new Block(parameters, `layers.${i}`, config))
    this.norm = new LayerNorm(parameters, 'norm', width, 'none')
    this.output = new Linear(parameters, 'output', width, channels)
  }

  /** Conditions (B, T, tokenWidth), data → what they add. */
  condition(tokens: tf.Tensor3D, anchor?: tf.Scalar): LatentCondition {
    const { side, width, tokenWidth } = this.config
    const [batch, count] = tokens.shape
    const perSide = Math.sqrt(count - 1)
    // A token is about as long as the class token, which is 1: so its numbers are about 1.
    const [first, patches] = tf.split(tf.mul(tokens, Math.sqrt(tokenWidth)), [1, count - 1], 1)
    const whole = this.classToken.forward(tf.squeeze(first, [1]), anchor)
    const spread = spreadPatches(this.patchTokens.forward(patches, anchor), perSide, side / perSide)
    return { whole, places: tf.add(spread, tf.reshape(whole, [batch, 1, width])) }
  }

  /** Noised latents (B, side, side, channels), data, at timesteps (one for all or one each) → v of the same shape. */
  forward(
    latents: tf.Tensor4D,
    timesteps: readonly number[],
    { whole, places }: LatentCondition,
    anchor?: tf.Scalar,
  ): tf.Tensor4D {
    const [batch, , , channels] = latents.shape
    const rows = tf.reshape(latents, [batch, -1, channels])
    const time = activate(sum(this.timeEmbedding(timesteps, batch, anchor), whole), 'silu')
    let x = sum(this.placed(this.input.forward(rows, anchor)), places)
    for (const block of this.blocks) x = block.forward(x, time)
    return tf.reshape(this.output.forward(this.norm.forward(x)), latents.shape)
  }

  /** (B, D), one timestep repeated for all. */
  private timeEmbedding(timesteps: readonly number[], batch: number, anchor?: tf.Scalar): tf.Tensor {
    const half = Math.floor(this.config.width / 2)
    const waves = Array.from({ length: batch }, (_, i) => {
      const angles = Array.from(
        { length: half },
        (_, j) => timesteps[timesteps.length === 1 ? 0 : i] * Math.exp((-Math.log(MAX_PERIOD) * j) / half),
      )
      return [...angles.map(Math.cos), ...angles.map(Math.sin)]
    })
    return this.time2.forward(activate(this.time1.forward(tf.tensor2d(waves), anchor), 'silu'))
  }

  /** (B, N, D) with the positions added. */
  private placed(x: tf.Tensor): tf.Tensor {
    return onTape(x, undefined, () => ({
      value: tf.add(x, this.positions.value()),
      backward: (dy) => {
        this.positions.accumulate(tf.keep(tf.sum(dy, 0)))
        return dy
      },
    }))
  }
}

/** Patches (B, n², D) as squares of `times` x `times` places each: (B, (n·times)², D). */
function spreadPatches(x: tf.Tensor, n: number, times: number): tf.Tensor {
  const [batch, , width] = x.shape
  return onTape(x, undefined, () => ({
    value: tf.tidy(() => {
      const rows = tf.reshape(x, [batch * n, 1, n, 1, width])
      return tf.reshape(tf.tile(rows, [1, times, 1, times, 1]), [batch, (n * times) ** 2, width])
    }),
    backward: (dy) =>
      tf.tidy(() => {
        const squares = tf.reshape(dy, [batch * n, times, n, times, width])
        return tf.reshape(tf.sum(squares, [1, 3]), x.shape)
      }),
  }))
}
