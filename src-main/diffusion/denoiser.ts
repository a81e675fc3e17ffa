import type * as tf from '@tensorflow/tfjs-core'
import type { Prediction } from './tables.ts'

/** What a denoiser's files say before its weights are read. */
export interface DenoiserSizes {
  /** What `predict` gives; the scheduler has to know. */
  readonly prediction: Prediction
  /** Channels L of a latent, and its side in pixels of the latent. */
  readonly latentChannels: number
  readonly latentSide: number
  /** Tokens T and their width D of the condition: CLIP's embedding of an image (`ClipVision.embedding`). */
  readonly tokens: number
  readonly width: number
  /**
   * How the picture that sampling begins with is scaled before it is encoded: to [−1, 1], as autoencoders take pictures; or by CLIP's mean
   * and SD, which the official code does to Versatile Diffusion's.
   */
  readonly startScaling: 'signed' | 'clip'
  /** Scale of classifier-free guidance that is taken where none is asked for. */
  readonly guidance: number
}

/**
 * The network of latent diffusion that turns noise into a picture's latent, step by step, whatever its class: Versatile Diffusion's image
 * UNet or the demo pack's small one. A condition of zeros stands for none, as in guidance without a classifier (MindEye §3.3).
 */
export interface Denoiser extends DenoiserSizes {
  /** Computes once what all steps need of the conditions (B, T, D). Dispose it after the last step. */
  condition(tokens: tf.Tensor3D): Condition
  dispose(): void
}

/** A denoiser bound to its conditions. */
export interface Condition {
  /** Latents (B, h, w, L) at a timestep (0 to 999) → the output (B, h, w, L). */
  predict(latents: tf.Tensor4D, timestep: number): tf.Tensor4D
  dispose(): void
}
