import type * as tf from '@tensorflow/tfjs-core'
import type { Prediction } from './tables.ts'

/**
 * The network of latent diffusion that turns noise into a picture's latent, step by step, whatever its class: Versatile Diffusion's image
 * UNet or the demo pack's small one. A condition of zeros stands for none, as in guidance without a classifier (MindEye §3.3).
 */
export interface Denoiser {
  /** What `predict` gives; the scheduler has to know. */
  readonly prediction: Prediction
  /** Channels L of a latent. */
  readonly latentChannels: number
  /** Tokens T and their width D of the condition: CLIP's embedding of an image (`ClipVision.embedding`). */
  readonly tokens: number
  readonly width: number
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
