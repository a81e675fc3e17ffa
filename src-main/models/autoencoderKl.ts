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
  patch_size: v.optional(count, 1),
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
  /**
   * Squares of so many pixels a side go in and out as channels of one place; 1 in what is published for images, and else as in autoencoders of
   * videos (`AutoencoderKLWan` of diffusers). Full resolution is then nobody's work.
   */
  patch: number
}

/** Pixels of a picture per place of its latent, on a side. */
export const reduction = ({ channels, patch }: Pick<AutoencoderConfig, 'channels' | 'patch'>): number =>
  patch * 2 ** (channels.length - 1)

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
    patch: config.patch_size,
  }
}

type Blocks = ReturnType<typeof decoder>

/** The eps of all norms of diffusers' autoencoders. */
const EPS = 1e-6

/** The normal distribution of latents that an image is encoded to, (B, h, w, L) each. */
export type Moments = Record<'mean' | 'logVariance', tf.Tensor4D>

/** Pixels of images that are computed at once: one of 512 x 512 needs about 1.5 GB and keeps all cores busy. */
const PIXELS = 512 ** 2

/**
 * The autoencoder of latent diffusion (arXiv 2112.10752; `AutoencoderKL` of diffusers, whose parameter names these are). Images (B, H, W, 3) in
 * [−1, 1], latents (B, H / 2ⁿ⁻¹, W / 2ⁿ⁻¹, L) for n resolutions. Large images are taken one by one, small ones many at once. On the tape where
 * there is one: `encode` then takes an anchor, its images being data.
 */
export class AutoencoderKl {
  readonly config: AutoencoderConfig
  private readonly encoder: Blocks
  private readonly decoder: Blocks

  constructor(parameters: Parameters, config: AutoencoderConfig) {
    const { imageChannels, latentChannels, channels, layers, groups, patch } = config
    const pixels = imageChannels * patch ** 2
    const sizes = { channels, layers, norm: { groups, eps: EPS }, inputs: pixels, outputs: 2 * latentChannels }
    this.config = config
    this.encoder = [...encoder(parameters, 'encoder', sizes), pointwise(parameters, 'quant_conv', 2 * latentChannels)]
    this.decoder = decoderBlocks(parameters, config)
  }

  /** Images (B, H, W, 3) in [−1, 1] → the distribution of their latents. H and W are multiples of 2ⁿ⁻¹. */
  encode(images: tf.Tensor4D, anchor?: tf.Scalar): Moments {
    const { patch } = this.config
    return tf.tidy((): Moments => {
      const [mean, logVariance] = tf.split(
        this.inParts(fold(images, patch), this.encoder, patch, anchor),
        2,
        3,
      ) as tf.Tensor4D[]
      return { mean, logVariance }
    })
  }

  /** The most likely latents of images: (B, H, W, 3) → (B, h, w, L). */
  mode(images: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => this.encode(images).mean)
  }

  /** Latents (B, h, w, L) → images (B, H, W, 3), about [−1, 1] and not clamped. */
  decode(latents: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => unfold(this.inParts(latents, this.decoder, reduction(this.config)), this.config.patch))
  }

  /** Maps through blocks, as many at once as make `PIXELS`; a map's side is `reduction` times smaller than its image's. */
  private inParts(x: tf.Tensor4D, blocks: Blocks, reduction: number, anchor?: tf.Scalar): tf.Tensor4D {
    const [batch, height, width] = x.shape
    const atOnce = Math.max(1, Math.floor(PIXELS / (height * width * reduction ** 2)))
    return tf.tidy(() => {
      if (batch <= atOnce) return through(x, blocks, anchor) as tf.Tensor4D
      const sizes = Array.from({ length: Math.ceil(batch / atOnce) }, (_, i) => Math.min(atOnce, batch - i * atOnce))
      const results = tf.split(x, sizes, 0).map((maps) => through(maps, blocks, anchor))
      return tf.concat(results, 0) as tf.Tensor4D
    })
  }
}

const pointwise = (parameters: Parameters, name: string, width: number) =>
  new Conv2d(parameters, name, width, width, { kernel: 1 })

/** What makes latents (B, h, w, L) into `fold`ed images (B, H/p, W/p, p²·3), under the names that it has in the whole autoencoder. */
export function decoderBlocks(parameters: Parameters, config: AutoencoderConfig): Blocks {
  const { imageChannels, latentChannels, channels, layers, groups, patch } = config
  const sizes = { channels, layers, norm: { groups, eps: EPS }, inputs: latentChannels }
  return [
    pointwise(parameters, 'post_quant_conv', latentChannels),
    ...decoder(parameters, 'decoder', { ...sizes, outputs: imageChannels * patch ** 2 }),
  ]
}

/** (B, H, W, C) → (B, H/p, W/p, p²·C), rows of a square before its columns. */
export function fold(images: tf.Tensor4D, patch: number): tf.Tensor4D {
  if (patch === 1) return images
  const [batch, height, width, channels] = images.shape
  const [rows, columns] = [height / patch, width / patch]
  const strips = tf.reshape(images, [batch * rows, patch, columns, patch * channels])
  return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch, rows, columns, patch ** 2 * channels])
}

/** The way back. */
function unfold(maps: tf.Tensor4D, patch: number): tf.Tensor4D {
  if (patch === 1) return maps
  const [batch, rows, columns, width] = maps.shape
  const strips = tf.reshape(maps, [batch * rows, columns, patch, width / patch])
  return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch, rows * patch, columns * patch, width / patch ** 2])
}

/** Latents drawn with given standard normal noise (B, h, w, L); the log variance is clamped to −30 … 20 as in the original. */
export const sampleLatents = ({ mean, logVariance }: Moments, noise: tf.Tensor): tf.Tensor4D =>
  tf.tidy(() => {
    const deviation = tf.exp(tf.mul(tf.clipByValue(logVariance, -30, 20), 0.5))
    return tf.add(mean, tf.mul(deviation, noise))
  })
