import * as tf from '@tensorflow/tfjs-core'
import * as v from 'valibot'
import { formatError } from '../base/errors.ts'
import { attend } from '../nn/attention.ts'
import { activations } from '../nn/activations.ts'
import { Conv2d } from '../nn/conv.ts'
import { activate, LayerNorm, Linear } from '../nn/layers.ts'
import type { Parameter, Parameters } from '../nn/parameters.ts'
import { onTape, sum } from '../nn/tape.ts'
import { count, parseConfig } from './modelConfig.ts'

/** Sizes of a CLIP image tower; ViT-L/14 is 1024 wide, 24 layers, 16 heads, 4096 in the MLP, 224 / 14 px, 768 out. */
export interface ClipVisionConfig {
  width: number
  mlpWidth: number
  layers: number
  heads: number
  channels: number
  /** Side of the input, px. */
  image: number
  /** Side of a patch, px. */
  patch: number
  /** Width of the projected embedding. */
  projection: number
  activation: 'quick_gelu' | 'gelu'
  /** ε of every LayerNorm. */
  eps: number
}

/** What a config.json may leave out has the value that transformers' CLIPVisionConfig gives it. */
const published = v.object({
  hidden_size: v.optional(count, 768),
  intermediate_size: v.optional(count, 3072),
  num_hidden_layers: v.optional(count, 12),
  num_attention_heads: v.optional(count, 12),
  num_channels: v.optional(count, 3),
  image_size: v.optional(count, 224),
  patch_size: v.optional(count, 32),
  projection_dim: v.optional(count, 512),
  hidden_act: v.optional(v.picklist(['quick_gelu', 'gelu']), 'quick_gelu'),
  layer_norm_eps: v.optional(v.pipe(v.number(), v.gtValue(0)), 1e-5),
})

/** From a CLIPVisionConfig, or a CLIPConfig, which holds one as `vision_config`. `where` names the file in errors. */
export function clipVisionConfig(json: Record<string, unknown>, where: string): ClipVisionConfig {
  const { vision_config: inner, projection_dim } = json
  const config = parseConfig(published, inner ? { projection_dim, ...inner } : json, where)
  const { hidden_size, num_attention_heads } = config
  if (hidden_size % num_attention_heads)
    throw formatError(
      where,
      'num_attention_heads',
      `a divisor of hidden_size, ${hidden_size}`,
      `${num_attention_heads}`,
    )
  return {
    width: config.hidden_size,
    mlpWidth: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    channels: config.num_channels,
    image: config.image_size,
    patch: config.patch_size,
    projection: config.projection_dim,
    activation: config.hidden_act,
    eps: config.layer_norm_eps,
  }
}

/** Tokens of an image: the class token and its patches. */
export const clipTokens = ({ image, patch }: ClipVisionConfig): number => 1 + Math.floor(image / patch) ** 2

/** Tokens whose MLP is computed at once on the way through a block; all else of a batch is small beside it. */
const MLP_ROWS = 4096

/** A pre-norm transformer block (`CLIPEncoderLayer`). */
class Block {
  private readonly heads: number
  private readonly activation: 'quickGelu' | 'gelu'
  private readonly norm1: LayerNorm
  private readonly query: Linear
  private readonly key: Linear
  private readonly value: Linear
  private readonly out: Linear
  private readonly norm2: LayerNorm
  private readonly up: Linear
  private readonly down: Linear

  constructor(parameters: Parameters, name: string, config: ClipVisionConfig) {
    const { width, mlpWidth, eps } = config
    const linear = (layer: string, from = width, to = width) => new Linear(parameters, `${name}.${layer}`, from, to)
    const norm = (layer: string) => new LayerNorm(parameters, `${name}.${layer}`, width, 'none', { eps })
    this.heads = config.heads
    this.activation = config.activation === 'gelu' ? 'gelu' : 'quickGelu'
    this.norm1 = norm('layer_norm1')
    this.query = linear('self_attn.q_proj')
    this.key = linear('self_attn.k_proj')
    this.value = linear('self_attn.v_proj')
    this.out = linear('self_attn.out_proj')
    this.norm2 = norm('layer_norm2')
    this.up = linear('mlp.fc1', width, mlpWidth)
    this.down = linear('mlp.fc2', mlpWidth, width)
  }

  /** (B, T, D) → (B, T, D), on the tape. */
  forward(x: tf.Tensor): tf.Tensor {
    const h = this.norm1.forward(x)
    const [q, k, v] = [this.query, this.key, this.value].map((layer) => layer.forward(h))
    const attended = sum(x, this.out.forward(attend(q, k, v, this.heads)))
    const hidden = activate(this.up.forward(this.norm2.forward(attended)), this.activation)
    return sum(attended, this.down.forward(hidden))
  }

  /** The same off the tape, with little memory. */
  apply(x: tf.Tensor3D): tf.Tensor3D {
    const attended = tf.tidy(() => {
      const h = this.norm1.compute(x).value
      const [q, k, v] = [this.query, this.key, this.value].map((layer) => layer.compute(h)) // (B, T, D)
      tf.dispose(h)
      return tf.add(x, this.out.compute(attend(q, k, v, this.heads))) as tf.Tensor3D
    })
    return tf.tidy(() => {
      const result = tf.add(attended, this.mlp(attended)) as tf.Tensor3D
      attended.dispose()
      return result
    })
  }

  private mlp(x: tf.Tensor3D): tf.Tensor3D {
    const perStep = Math.max(1, Math.floor(MLP_ROWS / x.shape[1]))
    const parts: tf.Tensor3D[] = []
    for (let at = 0; at < x.shape[0]; at += perStep)
      parts.push(
        tf.tidy(() => {
          const rows = tf.slice(x, [at, 0, 0], [Math.min(perStep, x.shape[0] - at), -1, -1])
          const hidden = activations[this.activation].of(this.up.compute(this.norm2.compute(rows).value))
          return this.down.compute(hidden) as tf.Tensor3D
        }),
      )
    return parts.length === 1 ? parts[0] : tf.concat(parts, 0)
  }
}

/**
 * CLIP's image tower with its projection (`CLIPVisionModelWithProjection` of transformers, whose parameter names these are). Inputs are
 * normalised pictures (B, H, W, 3) of the configured side.
 */
export class ClipVision {
  readonly config: ClipVisionConfig
  private readonly classToken: Parameter
  private readonly patches: Conv2d
  private readonly positions: Parameter
  private readonly before: LayerNorm
  private readonly blocks: readonly Block[]
  private readonly after: LayerNorm
  private readonly projection: Linear

  constructor(parameters: Parameters, config: ClipVisionConfig) {
    const { width, channels, patch, layers, eps, projection } = config
    const name = 'vision_model'
    const spread = { normal: 0.02 }
    this.config = config
    this.classToken = parameters.add(`${name}.embeddings.class_embedding`, [width], spread)
    const embedding = `${name}.embeddings.patch_embedding`
    this.patches = new Conv2d(parameters, embedding, channels, width, { kernel: patch, stride: patch, bias: false })
    this.positions = parameters.add(`${name}.embeddings.position_embedding.weight`, [clipTokens(config), width], spread)
    // Published under this spelling.
    this.before = new LayerNorm(parameters, `${name}.pre_layrnorm`, width, 'none', { eps })
    this.blocks = Array.from({ length: layers }, (_, i) => new Block(parameters, `${name}.encoder.layers.${i}`, config))
    this.after = new LayerNorm(parameters, `${name}.post_layernorm`, width, 'none', { eps })
    this.projection = new Linear(parameters, 'visual_projection', width, projection, { bias: false })
  }

  /** The class token before the patches (B, H/p, W/p, D), positions added: (B, T, D). */
  private embed(grid: tf.Tensor4D): tf.Tensor3D {
    const [batch, , , width] = grid.shape
    return onTape(grid, undefined, () => ({
      value: tf.tidy(() => {
        const start = tf.tile(tf.reshape(this.classToken.value(), [1, 1, width]), [batch, 1, 1])
        const tokens = tf.concat([start, tf.reshape(grid, [batch, -1, width])], 1)
        return tf.add(tokens, this.positions.value())
      }),
      backward: (dy) =>
        tf.tidy(() => {
          const dPositions = tf.sum(dy, 0) // (T, D)
          this.classToken.accumulate(tf.keep(tf.reshape(tf.slice(dPositions, [0, 0], [1, -1]), [width])))
          this.positions.accumulate(tf.keep(dPositions))
          return tf.reshape(tf.slice(dy, [0, 1, 0], [-1, -1, -1]), grid.shape)
        }),
    })) as tf.Tensor3D
  }

  /** (B, H, W, 3) → (B, T, P), every token normed and projected, on the tape: what `embedding` divides by lengths. */
  forward(pixels: tf.Tensor4D, anchor: tf.Scalar): tf.Tensor3D {
    let x = this.before.forward(this.embed(this.patches.forward(pixels, anchor)))
    for (const block of this.blocks) x = block.forward(x)
    return this.projection.forward(this.after.forward(x)) as tf.Tensor3D
  }

  /** (B, H, W, 3) → (B, T, D) after the last block, not normed; token 0 is the class token. */
  lastHiddenState(pixels: tf.Tensor4D): tf.Tensor3D {
    let x = tf.tidy(() => this.before.compute(this.embed(this.patches.compute(pixels))).value as tf.Tensor3D)
    for (const block of this.blocks) {
      const next = block.apply(x)
      x.dispose()
      x = next
    }
    return x
  }

  /**
   * MindEye's target (B, T, P): every token normed and projected, then divided by the length of token 0 of its image, so that patch
   * tokens are not of unit length (`Clipper.embed_image` of the official models.py with hidden_state and norm_embs).
   */
  embedding(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const tokens = this.projection.compute(this.after.compute(this.lastHiddenState(pixels)).value) as tf.Tensor3D
      return tf.div(tokens, tf.norm(tf.slice(tokens, [0, 0, 0], [-1, 1, -1]), 'euclidean', 2, true))
    })
  }

  /** CLIP's own image embedding (B, P), not normalised: the projected class token (`image_embeds`, `encode_image`). */
  imageEmbed(pixels: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => {
      const first = tf.slice(this.lastHiddenState(pixels), [0, 0, 0], [-1, 1, -1]) // (B, 1, D)
      return tf.squeeze(this.projection.compute(this.after.compute(first).value), [1])
    })
  }
}
