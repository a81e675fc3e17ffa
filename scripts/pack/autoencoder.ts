/** The demo pack's autoencoder: 64 x 64 pictures to 8 x 8 x 8 latents and back. */
import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import { AutoencoderKl, autoencoderConfig, sampleLatents } from '../../src-main/models/autoencoderKl.ts'
import { normalNoise } from '../../src-main/nn/noise.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { standardDeviation } from '../../src-main/evaluation/statistics.ts'
import { meanAbsoluteError, meanSquaredError } from '../../src-main/training/losses.ts'
import { ofScenes } from './latents.ts'
import type { PackPart } from './trainPart.ts'
import type { Scenes } from './world.ts'
import { drawItems, pictureBatch } from './world.ts'
import { writePart } from './writePart.ts'

/** As diffusers writes it; `scaling_factor` follows from the training. */
export const autoencoderJson = {
  _class_name: 'AutoencoderKL',
  in_channels: 3,
  out_channels: 3,
  latent_channels: 8,
  block_out_channels: [24, 64, 128],
  layers_per_block: 1,
  norm_num_groups: 8,
  act_fn: 'silu',
  down_block_types: Array.from({ length: 3 }, () => 'DownEncoderBlock2D'),
  up_block_types: Array.from({ length: 3 }, () => 'UpDecoderBlock2D'),
  sample_size: 64,
  // Of our own class: squares of 2 x 2 pixels as channels.
  patch_size: 2,
}

const KL_WEIGHT = 1e-3
/** Scenes whose latents tell the scaling factor: diffusion wants them of SD 1. */
const SCALING_SCENES = 2048

/** L1 + ½ MSE of the pictures in [−1, 1], and the KL divergence of the latents from N(0, 1), per number. */
export function autoencoderTraining(
  scenes: Scenes,
  { batch = 16, steps = 2500, json = autoencoderJson } = {},
): PackPart & { model: AutoencoderKl } {
  const parameters = new Parameters()
  const model = new AutoencoderKl(parameters, autoencoderConfig(json))
  return {
    ...{ parameters, model, steps, maxLr: 2e-3, weightDecay: 0.01 },
    terms(random, anchor) {
      const images = tf.sub(tf.mul(pictureBatch(scenes, drawItems(scenes, batch, random)), 2), 1) as tf.Tensor4D
      const { mean, logVariance } = model.encode(images, anchor)
      const noise = normalNoise(mean.shape, random)
      const decoded = model.decode(sampleLatents({ mean, logVariance }, noise))
      const [l1, mse] = [meanAbsoluteError(decoded, images), meanSquaredError(decoded, images)]
      const spread = tf.sub(tf.add(tf.exp(logVariance), tf.square(mean)), tf.add(logVariance, 1))
      const kl = tf.mul(tf.mean(spread), 0.5) as tf.Scalar
      const loss = tf.addN([l1, tf.mul(mse, 0.5), tf.mul(kl, KL_WEIGHT)]) as tf.Scalar
      return { loss, l1, mse, kl }
    },
    write(pack) {
      const some = { scenes: scenes.scenes.slice(0, SCALING_SCENES), pictures: scenes.pictures }
      const latents = ofScenes(some, (pictures) => model.mode(tf.sub(tf.mul(pictures, 2), 1)))
      const scaled = { ...json, scaling_factor: 1 / standardDeviation(latents) }
      writePart(join(pack, 'vae'), scaled, parameters, 'diffusion_pytorch_model')
    },
  }
}
