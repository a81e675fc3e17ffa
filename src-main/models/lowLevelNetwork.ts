import * as tf from '@tensorflow/tfjs-core'
import { Conv2d } from '../nn/conv.ts'
import { GroupNorm, NormedConv2d } from '../nn/groupNorm.ts'
import { dropout, LayerNorm, Linear, NormedLinear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'
import { sum } from '../nn/tape.ts'
import { decoder, through } from './vaeBlocks.ts'

/** Sizes of the low-level network; the published one is `lowLevelConfig(voxels)`. */
export interface LowLevelConfig {
  voxels: number
  hidden: number
  blocks: number
  /** The map that the linear layers give, side x side x channels. */
  map: { side: number; channels: number }
  /** The upsampler's channels per resolution, finest first; the latent has side · 2ⁿ⁻¹ pixels for n of them. */
  channels: readonly number[]
  /** Resnets of a block of the upsampler, less one. */
  layers: number
  /** Groups of the upsampler's norms. */
  groups: number
  /** Channels of the latent. */
  latent: number
  /** Width of the tokens for the contrastive loss; 0 leaves their head out. */
  features: number
  /** Dropout after the first layer and inside the blocks. */
  dropout: readonly [first: number, blocks: number]
}

/** The published sizes, with the head for the contrastive loss or without. */
export const lowLevelConfig = (voxels: number, contrast: boolean): LowLevelConfig => ({
  voxels,
  hidden: 4096,
  blocks: 4,
  map: { side: 16, channels: 64 },
  channels: [64, 128, 256],
  layers: 1,
  groups: 32,
  latent: 4,
  features: contrast ? 512 : 0,
  dropout: [0.5, 0.25],
})

/** The eps of the norms of diffusers' decoder. */
const EPS = 1e-6

/**
 * Voxels to the latent of a blurry image: an MLP with residual blocks, a map, and the decoder of an autoencoder as upsampler (the low-level pipeline of arXiv 2305.18274;
 * `Voxel2StableDiffusionModel` with ups_mode 4x in the official models.py, whose parameter names these are).
 */
export class LowLevelNetwork {
  readonly config: LowLevelConfig
  private readonly lin0: NormedLinear
  private readonly mlp: readonly NormedLinear[]
  private readonly lin1: Linear
  private readonly norm: GroupNorm
  private readonly upsampler: ReturnType<typeof decoder>
  private readonly mapsProjector: readonly { forward(x: tf.Tensor): tf.Tensor }[]

  constructor(parameters: Parameters, config: LowLevelConfig) {
    const { voxels, hidden, blocks, map, channels, layers, groups, latent, features } = config
    const normed = (name: string, from: number) =>
      new NormedLinear(
        new Linear(parameters, `${name}.0`, from, hidden, { bias: false }),
        new LayerNorm(parameters, `${name}.1`, hidden, 'silu'),
      )
    this.config = config
    this.lin0 = normed('lin0', voxels)
    this.mlp = Array.from({ length: blocks }, (_, i) => normed(`mlp.${i}`, hidden))
    this.lin1 = new Linear(parameters, 'lin1', hidden, map.side ** 2 * map.channels, { bias: false })
    this.norm = new GroupNorm(parameters, 'norm', map.channels, { groups: 1 })
    this.upsampler = decoder(parameters, 'upsampler', {
      inputs: map.channels,
      outputs: latent,
      channels,
      layers,
      norm: { groups, eps: EPS },
    })
    const conv = (i: number, from: number, bias: boolean) =>
      new Conv2d(parameters, `maps_projector.${i}`, from, features, { kernel: 1, bias })
    const relu = (i: number) =>
      new GroupNorm(parameters, `maps_projector.${i}`, features, { groups: 1, activation: 'relu' })
    this.mapsProjector = features
      ? [
          conv(0, map.channels, false),
          new NormedConv2d(relu(1), conv(3, features, false)),
          new NormedConv2d(relu(4), conv(6, features, true)),
        ]
      : []
  }

  /**
   * x (B, V) → `latent` (B, H, W, 4), in units of the autoencoder's latent times its scaling factor, and `features` (B, side², F) for
   * contrast, positions row by row (absent without their head). Training passes `anchor` and the stream of dropout as in `BrainNetwork`.
   */
  forward(
    x: tf.Tensor2D,
    training?: { anchor: tf.Scalar; random?: Random },
  ): { latent: tf.Tensor4D; features?: tf.Tensor3D } {
    const map = this.map(x, training)
    const latent = through(map, this.upsampler) as tf.Tensor4D
    return this.mapsProjector.length ? { latent, features: this.project(map) } : { latent }
  }

  /** The latent alone, off the tape and without dropout: (B, V) → (B, H, W, 4). */
  predict(x: tf.Tensor2D): tf.Tensor4D {
    return tf.tidy(() => through(this.map(x), this.upsampler) as tf.Tensor4D)
  }

  /** The normalised map that the upsampler and the head read: (B, V) → (B, side, side, channels). */
  private map(x: tf.Tensor2D, training?: { anchor: tf.Scalar; random?: Random }): tf.Tensor4D {
    const { side, channels } = this.config.map
    const [p0, p1] = this.config.dropout
    const stream = (layer: string) => training?.random?.split(layer)
    let r = dropout(this.lin0.forward(x, training?.anchor), p0, stream('lin0')) // (B, h)
    for (const [i, block] of this.mlp.entries()) r = sum(dropout(block.forward(r), p1, stream(`mlp.${i}`)), r)
    const published = tf.reshape(this.lin1.forward(r), [-1, channels, side, side])
    return this.norm.forward(tf.transpose(published, [0, 2, 3, 1])) as tf.Tensor4D
  }

  private project(map: tf.Tensor4D): tf.Tensor3D {
    const { map: { side }, features } = this.config // prettier-ignore
    return tf.reshape(through(map, this.mapsProjector), [-1, side ** 2, features])
  }
}
