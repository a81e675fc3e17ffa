import * as tf from '@tensorflow/tfjs-core'
import { Linear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'

export interface StudyAutoencoderConfig {
  /** Numbers of a picture, side² · channels. */
  pixels: number
  latent: number
}

/** Widths between pixels and latent. */
const HIDDEN = [256, 128] as const

const INITIAL_LOG_VARIANCE = -4

/** A small variational autoencoder of one study's pictures: an MLP to a Gaussian latent and back to pixel logits. */
export class StudyAutoencoder {
  readonly config: StudyAutoencoderConfig
  private readonly down: readonly Linear[]
  private readonly up: readonly Linear[]

  constructor(parameters: Parameters, config: StudyAutoencoderConfig) {
    const { pixels, latent } = config
    const chain = (name: string, widths: readonly number[]) =>
      widths.slice(1).map((width, i) => new Linear(parameters, `${name}.${i}`, widths[i], width))
    this.config = config
    this.down = chain('encoder', [pixels, ...HIDDEN, 2 * latent])
    this.up = chain('decoder', [latent, ...HIDDEN.toReversed(), pixels])
  }

  /** Pictures (B, pixels) in [0, 1] → mean and log variance of the latent, (B, L) each. */
  encode(pictures: tf.Tensor2D, anchor?: tf.Scalar): { mean: tf.Tensor2D; logVariance: tf.Tensor2D } {
    const centred = tf.sub(tf.mul(pictures, 2), 1) as tf.Tensor2D
    const [mean, shift] = tf.split(through(this.down, centred, anchor), 2, 1) as tf.Tensor2D[]
    // The noise starts well below the spread of the means; at SD 1 the decoder would learn to ignore the latent.
    return { mean, logVariance: tf.clipByValue(tf.add(shift, INITIAL_LOG_VARIANCE), -10, 10) }
  }

  /** Latents (B, L) → logits of the pixels (B, pixels). */
  decode(latents: tf.Tensor2D): tf.Tensor2D {
    return through(this.up, latents)
  }
}

function through(layers: readonly Linear[], x: tf.Tensor2D, anchor?: tf.Scalar): tf.Tensor2D {
  let h: tf.Tensor = x
  for (const [i, layer] of layers.entries()) {
    h = layer.forward(h, i === 0 ? anchor : undefined)
    if (i < layers.length - 1) h = tf.relu(h)
  }
  return h as tf.Tensor2D
}
