import * as tf from '@tensorflow/tfjs-core'
import * as v from 'valibot'
import { Conv2d } from '../nn/conv.ts'
import type { Parameters } from '../nn/parameters.ts'
import { count, parseConfig } from './modelConfig.ts'
import { decoder, encoder, through } from './vaeBlocks.ts'

const schema = v.object({
  in_channels: v.optional(count, 3),
  out_channels: v.optional(count, 3),
  latent_channels: v.optional(count, 4),
  block_out_channels: v.pipe(v.array(count), v.minLength(1)),
  layers_per_block: v.optional(count, 1),
  norm_num_groups: v.optional(count, 32),
  scaling_factor: v.optional(v.pipe(v.number(), v.gtValue(0)), 0.18215),
  // What other kinds of autoencoder of the same class name have, and ours does not.
  act_fn: v.optional(v.picklist(['silu', 'swish']), 'silu'),
  down_block_types: v.optional(v.array(v.literal('DownEncoderBlock2D')), []),
  up_block_types: v.optional(v.array(v.literal('UpDecoderBlock2D')), []),
  use_quant_conv: v.optional(v.literal(true), true),
  use_post_quant_conv: v.optional(v.literal(true), true),
  mid_block_add_attention: v.optional(v.literal(true), true),
})

export interface AutoencoderConfig {
  /** Channels of the images. */
  imageChannels: number
  latentChannels: number
  /** Channels of each resolution, finest first. */
  channels: readonly number[]
  /** Resnets of an encoder's block. */
  layers: number
  /** Groups of the norms. */
  groups: number
  /** What diffusion multiplies latents by, 0.18215 for Stable Diffusion's. `AutoencoderKl` itself never does. */
  scalingFactor: number
}

/** Reads a diffusers config.json of an AutoencoderKL. Throws a format error that names the field which is not as expected. */
export function autoencoderConfig(json: unknown, where = 'config.json'): AutoencoderConfig {
  const config = parseConfig(schema, json, where)
  return {
    imageChannels: config.in_channels,
    latentChannels: config.latent_channels,
    channels: config.block_out_channels,
    layers: config.layers_per_block,
    groups: config.norm_num_groups,
    scalingFactor: config.scaling_factor,
  }
}

/** The eps of all norms of diffusers' autoencoders. */
const EPS = 1e-6

/** The normal distribution of latents that an image is encoded to, (B, h, w, L) each. */
export type Moments = Record<'mean' | 'logVariance', tf.Tensor4D>

/**
 * The autoencoder of latent diffusion (arXiv 2112.10752; `AutoencoderKL` of diffusers, whose parameter names these are). Inference only.
 * Images (B, H, W, 3) in [−1, 1], latents (B, H / 2ⁿ⁻¹, W / 2ⁿ⁻¹, L) for n resolutions. Images are taken one by one: at 512 x 512 each needs
 * about 1.5 GB and keeps all cores busy.
 */
export class AutoencoderKl {
  readonly config: AutoencoderConfig
  private readonly encoder: ReturnType<typeof encoder>
  private readonly decoder: ReturnType<typeof decoder>

  constructor(parameters: Parameters, config: AutoencoderConfig) {
    const { imageChannels, latentChannels, channels, layers, groups } = config
    const common = { channels, layers, norm: { groups, eps: EPS } }
    const pointwise = (name: string, width: number) => new Conv2d(parameters, name, width, width, { kernel: 1 })
    this.config = config
    this.encoder = [
      ...encoder(parameters, 'encoder', { ...common, inputs: imageChannels, outputs: 2 * latentChannels }),
      pointwise('quant_conv', 2 * latentChannels),
    ]
    this.decoder = [
      pointwise('post_quant_conv', latentChannels),
      ...decoder(parameters, 'decoder', { ...common, inputs: latentChannels, outputs: imageChannels }),
    ]
  }

  /** Images (B, H, W, 3) in [−1, 1] → the distribution of their latents. H and W are multiples of 2ⁿ⁻¹. */
  encode(images: tf.Tensor4D): Moments {
    return tf.tidy((): Moments => {
      const [mean, logVariance] = tf.split(oneByOne(images, this.encoder), 2, 3) as tf.Tensor4D[]
      return { mean, logVariance }
    })
  }

  /** The most likely latents of images: (B, H, W, 3) → (B, h, w, L). */
  mode(images: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => this.encode(images).mean)
  }

  /** Latents (B, h, w, L) → images (B, H, W, 3), about [−1, 1] and not clamped. */
  decode(latents: tf.Tensor4D): tf.Tensor4D {
    return oneByOne(latents, this.decoder)
  }
}

/** Latents drawn with given standard normal noise (B, h, w, L); the log variance is clamped to −30 … 20 as in the original. */
export const sampleLatents = ({ mean, logVariance }: Moments, noise: tf.Tensor): tf.Tensor4D =>
  tf.tidy(() => {
    const deviation = tf.exp(tf.mul(tf.clipByValue(logVariance, -30, 20), 0.5))
    return tf.add(mean, tf.mul(deviation, noise))
  })

function oneByOne(x: tf.Tensor4D, blocks: ReturnType<typeof decoder>): tf.Tensor4D {
  return tf.tidy(() => {
    const results = tf.split(x, x.shape[0], 0).map((map) => through(map, blocks))
    return tf.concat(results, 0) as tf.Tensor4D
  })
}
