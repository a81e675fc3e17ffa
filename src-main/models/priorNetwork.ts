import * as tf from '@tensorflow/tfjs-core'
import { LayerNorm, Linear } from '../nn/layers.ts'
import type { Parameter, Parameters } from '../nn/parameters.ts'
import { byRows, flatten, onTape } from '../nn/tape.ts'
import type { Rotary } from './priorAttention.ts'
import { PriorAttention } from './priorAttention.ts'

/** Sizes of the prior; the published one is 257 x 768, depth 6, 12 heads of 64. */
export interface PriorNetworkConfig {
  tokens: number
  width: number
  depth: number
  heads: number
  headDim: number
}

/** Hidden width of the feed-forward blocks as a multiple of the width. */
const FEED_FORWARD = 4
/** Dims of a head that rotate, at most. */
const ROTARY_DIMS = 32
/** Buckets of relative positions; the first half holds one distance each, the rest grow up to 128. */
const BUCKETS = 32
const EXACT_BUCKETS = BUCKETS / 2
const MAX_DISTANCE = 128

/** Relative distance to bucket (T5, one-directional): what lies ahead is distance 0. */
export function distanceBucket(distance: number): number {
  const d = Math.max(0, distance)
  if (d < EXACT_BUCKETS) return d
  const steps = (Math.log(d / EXACT_BUCKETS) / Math.log(MAX_DISTANCE / EXACT_BUCKETS)) * (BUCKETS - EXACT_BUCKETS)
  return Math.min(BUCKETS - 1, EXACT_BUCKETS + Math.trunc(steps))
}

/** u · SiLU(g) of y = [u | g]. */
const gated = (y: tf.Tensor): tf.Tensor => {
  const [u, g] = tf.split(y, 2, 1)
  return tf.mul(u, tf.mul(g, tf.sigmoid(g)))
}

function gatedBackward(da: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const [u, g] = tf.split(y, 2, 1)
  const gate = tf.sigmoid(g)
  const silu = tf.mul(g, gate)
  // SiLU′(g) = σ(g) + SiLU(g) (1 − σ(g))
  const slope = tf.add(gate, tf.mul(silu, tf.sub(1, gate)))
  return tf.concat([tf.mul(da, silu), tf.mul(tf.mul(da, u), slope)], 1)
}

/** LayerNorm, a gated linear layer to four times the width and back: one tape entry. */
class FeedForward {
  private readonly norm: LayerNorm
  private readonly up: Linear
  private readonly down: Linear

  constructor(parameters: Parameters, name: string, width: number) {
    const hidden = FEED_FORWARD * width
    this.norm = new LayerNorm(parameters, `${name}.0`, width, 'none', { gainOnly: true })
    this.up = new Linear(parameters, `${name}.1`, width, 2 * hidden, { bias: false })
    this.down = new Linear(parameters, `${name}.5`, hidden, width, { bias: false })
  }

  /** (B, n, D) → (B, n, D). */
  forward(x: tf.Tensor3D): tf.Tensor3D {
    return onTape(x, undefined, (save) => {
      const { value: h, mean, rstd } = this.norm.compute(x)
      const y = flatten(this.up.compute(h)) // (B·n, 8D)
      const value = this.down.compute(byRows([y], (rows) => [gated(rows)])[0])
      save([x, mean, rstd, h, y])
      return {
        value: tf.reshape(value, x.shape),
        backward: (dy, saved) =>
          tf.tidy(() => {
            const [input, inputMean, inputRstd, normed, hidden] = saved
            const [a] = byRows([hidden], (rows) => [gated(rows)])
            const da = this.down.backward(dy, a, true)
            a.dispose()
            const [dHidden] = byRows([da, hidden], (d, rows) => [gatedBackward(d, rows)])
            tf.dispose([da, hidden])
            const dh = this.up.backward(dHidden, normed, true)
            dHidden.dispose()
            return this.norm.backward(tf.reshape(dh, input.shape), [input, inputMean, inputRstd])
          }),
      }
    }) as tf.Tensor3D
  }
}

/** Divides by the signed maximum of each row, through which no gradient flows: the prior's `stable` norm does this first. */
function divideByMaximum(x: tf.Tensor): tf.Tensor {
  return onTape(x, undefined, (save) => {
    const maximum = tf.max(x, -1, true)
    save([maximum])
    return { value: tf.div(x, maximum), backward: (dy, [m]) => tf.div(dy, m) }
  })
}

export interface PriorInputs {
  /** Noised image embedding, (B, T, D). */
  image: tf.Tensor3D
  /** Timesteps, (B); continuous. */
  times: ArrayLike<number>
  /** Brain embedding, (B, T, D). */
  brain: tf.Tensor3D
  /** 1 keeps a sample's condition, 0 puts the learned null embedding in its place, (B) each; all kept when absent. */
  keepBrain?: ArrayLike<number>
  keepImage?: ArrayLike<number>
}

/**
 * The network of the diffusion prior: a transformer over [brain tokens | time | noised image tokens] that predicts the
 * image embedding (MindEye §3.3; `VersatileDiffusionPriorNetwork` in the official models.py, whose parameter names these are).
 */
export class PriorNetwork {
  readonly config: PriorNetworkConfig
  private readonly query: Parameter
  private readonly nullBrain: Parameter
  private readonly nullImage: Parameter
  private readonly relativeBias: Parameter
  private readonly timeLayers: readonly Linear[]
  private readonly layers: readonly { attention: PriorAttention; feedForward: FeedForward }[]
  private readonly norm: LayerNorm
  private readonly out: Linear
  private readonly frequencies: Parameter

  constructor(parameters: Parameters, config: PriorNetworkConfig, prefix = '') {
    const { tokens, width, depth, heads, headDim } = config
    const embedding = (name: string, deviation: number) =>
      parameters.add(`${prefix}${name}`, [tokens, width], { normal: deviation })
    const transformer = `${prefix}causal_transformer`
    this.config = config
    this.query = embedding('learned_query', width ** -0.5)
    this.nullBrain = embedding('null_brain_embeds', 1)
    this.nullImage = embedding('null_image_embed', 1)
    const time = (name: string, from: number, to: number) =>
      new Linear(parameters, `${prefix}to_time_embeds.0.1.net.${name}`, from, to)
    this.timeLayers = [time('0.0', width, 2 * width), time('1.0', 2 * width, 2 * width), time('2', 2 * width, width)]
    this.relativeBias = parameters.add(`${transformer}.rel_pos_bias.relative_attention_bias.weight`, [BUCKETS, heads], {
      normal: 1,
    })
    // One array that every layer shares, written once per layer by PyTorch; never trained.
    const rotating = Math.min(ROTARY_DIMS, headDim)
    const [frequencies, ...also] = Array.from(
      { length: depth },
      (_, layer) => `${transformer}.layers.${layer}.0.rotary_emb.freqs`,
    )
    const numbers = Float32Array.from({ length: rotating / 2 }, (_, i) => 10_000 ** ((-2 * i) / rotating))
    this.frequencies = parameters.add(frequencies, [rotating / 2], { numbers }, { trained: false, also })
    this.layers = Array.from({ length: depth }, (_, layer) => ({
      attention: new PriorAttention(parameters, `${transformer}.layers.${layer}.0`, { width, heads, headDim }),
      feedForward: new FeedForward(parameters, `${transformer}.layers.${layer}.1`, width),
    }))
    this.norm = new LayerNorm(parameters, `${transformer}.norm`, width, 'none', { gainOnly: true })
    this.out = new Linear(parameters, `${transformer}.project_out`, width, width, { bias: false })
  }

  /**
   * Predicted image embedding, (B, T, D). Training passes `anchor`, the scalar to differentiate by, which keeps the parts whose
   * input is data on the tape; gradients also flow to `image` and `brain`.
   */
  forward({ image, times, brain, keepBrain, keepImage }: PriorInputs, anchor?: tf.Scalar): tf.Tensor3D {
    const { tokens } = this.config
    const tracked = anchor ?? tf.scalar(0)
    const brainTokens = embed(brain, tracked, keepBrain, this.nullBrain)
    const imageTokens = embed(image, tracked, keepImage, this.nullImage, this.query)
    let x = tf.concat([brainTokens, this.timeToken(times, tracked), imageTokens], 1) // (B, n, D), n = 2T + 1
    const n = 2 * tokens + 1
    const bias = this.bias(n, tracked)
    const rotary = this.rotary(n)
    for (const { attention, feedForward } of this.layers) {
      x = tf.add(attention.forward(x, bias, rotary), x)
      x = tf.add(feedForward.forward(x), x)
    }
    // Norm and projection act on each token alone, and only the image tokens are the output.
    const last = tf.slice(x, [0, tokens + 1, 0], [-1, tokens, -1])
    return this.out.forward(this.norm.forward(divideByMaximum(last))) as tf.Tensor3D
  }

  /**
   * Classifier-free guidance off the tape: null + (conditioned − null) · scale, where the null pass drops both conditions.
   * MindEye samples with scale 1, a single pass.
   */
  guided(inputs: Pick<PriorInputs, 'image' | 'times' | 'brain'>, scale: number): tf.Tensor3D {
    return tf.tidy(() => {
      const conditioned = this.forward(inputs)
      if (scale === 1) return conditioned
      const none = new Float32Array(inputs.times.length)
      const dropped = this.forward({ ...inputs, keepBrain: none, keepImage: none })
      return tf.add(dropped, tf.mul(tf.sub(conditioned, dropped), scale)) as tf.Tensor3D
    })
  }

  /** (B) → (B, 1, D): sines, then cosines of falling frequencies, through an MLP. */
  private timeToken(times: ArrayLike<number>, anchor: tf.Scalar): tf.Tensor3D {
    const { width } = this.config
    const half = width / 2
    const waves = new Float32Array(times.length * width)
    for (let b = 0; b < times.length; b++)
      for (let j = 0; j < half; j++) {
        const angle = Math.fround(Math.fround(times[b]) * Math.fround(Math.exp((-j * Math.log(10_000)) / (half - 1))))
        waves[b * width + j] = Math.sin(angle)
        waves[b * width + half + j] = Math.cos(angle)
      }
    const [first, second, third] = this.timeLayers
    const silu = (z: tf.Tensor) => tf.mul(z, tf.sigmoid(z))
    const hidden = silu(second.forward(silu(first.forward(tf.tensor2d(waves, [times.length, width]), anchor))))
    return tf.reshape(third.forward(hidden), [times.length, 1, width])
  }

  /** The relative bias of all queries and keys, (n · heads, n + 1) with rows ordered (position, head); the null key comes first. */
  private bias(n: number, anchor: tf.Scalar): tf.Tensor2D {
    const { heads } = this.config
    const buckets = Int32Array.from({ length: n * (n + 1) }, (_, at) => {
      const [i, j] = [Math.floor(at / (n + 1)), at % (n + 1)]
      return distanceBucket(i - j)
    })
    return onTape(anchor, anchor, () => {
      const gathered = tf.gather(this.relativeBias.value(), tf.tensor1d(buckets, 'int32')) // (n(n + 1), heads)
      const value = tf.transpose(tf.reshape(gathered, [n, n + 1, heads]), [0, 2, 1])
      return {
        value: tf.reshape(value, [n * heads, n + 1]),
        backward: (dy) => {
          const rows = tf.reshape(tf.transpose(tf.reshape(dy, [n, heads, n + 1]), [0, 2, 1]), [n * (n + 1), heads])
          this.relativeBias.accumulate(tf.keep(tf.unsortedSegmentSum(rows, tf.tensor1d(buckets, 'int32'), BUCKETS)))
          return tf.scalar(0)
        },
      }
    }) as tf.Tensor2D
  }

  private rotary(n: number): Rotary {
    const { headDim } = this.config
    return tf.tidy(() => {
      const frequencies = this.frequencies.value() // (r / 2)
      const half = frequencies.size
      const positions = tf.reshape(tf.range(0, n, 1, 'float32'), [n, 1])
      // Each frequency turns one pair of neighbours.
      const angles = tf.reshape(tf.tile(tf.reshape(tf.mul(positions, frequencies), [n, half, 1]), [1, 1, 2]), [n, -1])
      const rest = headDim - 2 * half
      const swap = tf.buffer([headDim, headDim])
      for (let i = 0; i < half; i++) {
        swap.set(-1, 2 * i + 1, 2 * i)
        swap.set(1, 2 * i, 2 * i + 1)
      }
      const padded = (x: tf.Tensor, by: tf.Tensor) => tf.reshape(tf.concat([x, by], 1), [n, 1, headDim])
      return {
        cos: padded(tf.cos(angles), tf.ones([n, rest])),
        sin: padded(tf.sin(angles), tf.zeros([n, rest])),
        swap: swap.toTensor() as tf.Tensor2D,
      }
    })
  }
}

/** x (B, T, D) with the dropped samples replaced by a learned embedding, plus an embedding of positions. */
function embed(
  x: tf.Tensor3D,
  anchor: tf.Scalar,
  keep: ArrayLike<number> | undefined,
  none: Parameter,
  query?: Parameter,
): tf.Tensor3D {
  const [batch] = x.shape
  const mask = Float32Array.from(keep ?? new Float32Array(batch).fill(1))
  return tf.customGrad(() => {
    const kept = tf.tensor3d(mask, [batch, 1, 1])
    const chosen = tf.add(tf.mul(x, kept), tf.mul(none.value(), tf.sub(1, kept)))
    return {
      value: query ? tf.add(chosen, query.value()) : chosen,
      gradFunc: (dy: tf.Tensor) => {
        const own = tf.tensor3d(mask, [batch, 1, 1])
        const dx = tf.mul(dy, own)
        none.accumulate(tf.keep(tf.tidy(() => tf.sum(tf.mul(dy, tf.sub(1, own)), 0))))
        query?.accumulate(tf.keep(tf.sum(dy, 0)))
        return [dx, tf.scalar(0)]
      },
    }
  })(x, anchor) as tf.Tensor3D
}
