import * as tf from '@tensorflow/tfjs-core'
import type { AutoencoderKl } from '../models/autoencoderKl.ts'
import { reduction } from '../models/autoencoderKl.ts'
import type { Pretrained } from '../models/pretrained.ts'
import { loadAutoencoderKl } from '../models/pretrained.ts'
import { lowLevelPixels } from './augmentation.ts'
import type { PictureEncoder } from './imageEncoder.ts'
import { latentTargets } from './lowLevel.ts'

/** The low-level target: the most likely latent of an autoencoder times its scaling factor, a token per place (MindEye §3.4). */
export class LatentEncoder implements PictureEncoder {
  readonly tokens: number
  readonly width: number
  /** Side of the pictures that are encoded, px. */
  readonly side: number
  private readonly network: Pretrained<AutoencoderKl>

  /** Loads the autoencoder; `latentSide` is the side of the latents that the decoder gives. */
  constructor(path: string, latentSide: number) {
    this.network = loadAutoencoderKl(path)
    const { config } = this.network.model
    this.tokens = latentSide ** 2
    this.width = config.latentChannels
    this.side = latentSide * reduction(config)
  }

  get scalingFactor(): number {
    return this.network.model.config.scalingFactor
  }

  embed(pictures: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => {
      const latents = latentTargets(this.network.model, lowLevelPixels(pictures, this.side))
      return tf.reshape(latents, [pictures.shape[0], -1])
    })
  }

  dispose(): void {
    this.network.parameters.dispose()
  }
}
