import * as tf from '@tensorflow/tfjs-core'
import type { DenoiserSizes } from '../diffusion/denoiser.ts'
import type { AutoencoderKl } from '../models/autoencoderKl.ts'
import { sampleLatents } from '../models/autoencoderKl.ts'
import { CLIP_NORMALIZATION, normalize } from '../nn/image/colour.ts'
import { numbersOf } from '../nn/numbers.ts'
import type { RunPlace } from '../retrieval/repeats.ts'
import { loadDecoder } from '../training/decoder.ts'
import { foldFiles } from '../training/foldFiles.ts'
import { foldFolder } from '../training/foldTest.ts'
import { latentSide, lowLevelSizes } from '../training/lowLevelConfig.ts'
import type { Noise } from './noise.ts'
import { floatPictures, toPictures } from './pixels.ts'
import type { FloatPicture } from './sets.ts'

/** Stage 4: voxels → the low-level decoder's latent → a blurry picture → the latent that image-to-image sampling starts from. */

/** A low-level run, and what the latents of its autoencoder were multiplied by to be its targets. */
export interface LowLevelRun extends Pick<RunPlace, 'runFolder' | 'config'> {
  scalingFactor: number
}

export interface LowLevelPicture {
  /** As decoded from the brain, (h, w, L), times its scaling factor. */
  latent: Float32Array
  picture: FloatPicture
  /** (h, w, L), times the scaling factor of the pack's autoencoder; where one was asked for. */
  start?: Float32Array
}

/** How starts are made: with which noise, and scaled for which denoiser. */
export interface Starting {
  noise: Noise
  startScaling: DenoiserSizes['startScaling']
}

/** Shape of the latents that a low-level run gives. */
export function latentShape({ config }: Pick<LowLevelRun, 'config'>): [side: number, side: number, channels: number] {
  const sizes = lowLevelSizes(config, 1)
  return [latentSide(sizes), latentSide(sizes), sizes.latent]
}

/** Latents (h·w·L) of z-scored voxels (V) by the decoder of a fold, each by itself. */
export function lowLevelLatents(
  { runFolder, config }: LowLevelRun,
  fold: number,
  patterns: readonly Float32Array[],
): Float32Array[] {
  const decoder = loadDecoder(foldFiles(foldFolder(runFolder, fold)).model, config, patterns[0].length)
  try {
    return patterns.map((voxels) => decoder.predict(voxels))
  } finally {
    decoder.dispose()
  }
}

/** What the pack's autoencoder makes of low-level latents. */
export function lowLevelPictures(
  autoencoder: AutoencoderKl,
  run: LowLevelRun,
  latents: readonly Float32Array[],
  starting: Starting | undefined,
): LowLevelPicture[] {
  return latents.map((latent) => {
    const blurry = tf.tidy(() =>
      toPictures(autoencoder, tf.tensor4d(latent, [1, ...latentShape(run)]), run.scalingFactor),
    )
    const [picture] = floatPictures(blurry)
    const start = starting && numbersOf(() => startLatent(autoencoder, blurry, starting.noise.encoding(), starting))
    blurry.dispose()
    return { latent, picture, start }
  })
}

/**
 * The latent (1, h, w, L) of a picture (1, H, W, 3) about [0, 1], which is not clamped: drawn from what the autoencoder says with `noise`,
 * times its scaling factor.
 */
export const startLatent = (
  autoencoder: AutoencoderKl,
  picture: tf.Tensor4D,
  noise: tf.Tensor4D,
  { startScaling }: Pick<Starting, 'startScaling'>,
): tf.Tensor4D =>
  tf.tidy(() => {
    const scaled = startScaling === 'clip' ? normalize(picture, CLIP_NORMALIZATION) : tf.sub(tf.mul(picture, 2), 1)
    return tf.mul(sampleLatents(autoencoder.encode(scaled as tf.Tensor4D), noise), autoencoder.config.scalingFactor)
  })
