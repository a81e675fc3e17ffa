/** The demo pack's denoiser: latents of scenes from the image encoder's tokens. */
import * as tf from '@tensorflow/tfjs-core'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { cosineBetas, NoiseTable } from '../../src-main/diffusion/tables.ts'
import { LatentDenoiser, latentDenoiserConfig } from '../../src-main/models/latentDenoiser.ts'
import { normalNoise } from '../../src-main/nn/noise.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { meanSquaredError } from '../../src-main/training/losses.ts'
import type { PackPart } from './trainPart.ts'
import { writeJson, writePart } from './writePart.ts'

const TIMESTEPS = 1000

/** As our own class reads it. */
export const denoiserJson = {
  _class_name: 'LatentDenoiser',
  prediction_type: 'v_prediction',
  latent_channels: 8,
  sample_size: 8,
  hidden_size: 192,
  intermediate_size: 576,
  num_hidden_layers: 5,
  num_attention_heads: 3,
  num_tokens: 17,
  token_width: 64,
}

/** The noise levels, as diffusers writes them. */
const schedulerJson = {
  _class_name: 'UniPCMultistepScheduler',
  num_train_timesteps: TIMESTEPS,
  beta_schedule: 'squaredcos_cap_v2',
  prediction_type: 'v_prediction',
}

/** What the denoiser learns from. */
export interface LatentData {
  count: number
  /** Latents times the scaling factor, (n, side, side, channels). */
  latents: Float32Array
  /** Embeddings, (n, T, D). */
  tokens: Float32Array
}

/** Share of the conditions that are left out, so that the network also learns to do without. */
const DROPPED = 0.1

/** Squared error of v at random timesteps, noisy ones more often (as √U): there the condition alone has to tell what is in the picture. */
export function denoiserTraining(
  data: LatentData,
  { batch = 64, steps = 2250, json = denoiserJson } = {},
): PackPart & { model: LatentDenoiser } {
  const parameters = new Parameters()
  const config = latentDenoiserConfig(json, 'config.json')
  const model = new LatentDenoiser(parameters, config)
  const { alphas, sigmas } = new NoiseTable(cosineBetas(TIMESTEPS))
  const [latentSize, tokensSize] = [config.side ** 2 * config.channels, config.tokens * config.tokenWidth]
  return {
    ...{ parameters, model, steps, maxLr: 2e-3, weightDecay: 0.01 },
    terms(random, anchor) {
      const [latents, tokens] = [new Float32Array(batch * latentSize), new Float32Array(batch * tokensSize)]
      const timesteps: number[] = []
      for (let row = 0; row < batch; row++) {
        const item = random.int(data.count)
        latents.set(data.latents.subarray(item * latentSize, (item + 1) * latentSize), row * latentSize)
        if (random.uniform() >= DROPPED)
          tokens.set(data.tokens.subarray(item * tokensSize, (item + 1) * tokensSize), row * tokensSize)
        timesteps.push(Math.floor(TIMESTEPS * Math.sqrt(random.uniform())))
      }
      const clean = tf.tensor4d(latents, [batch, config.side, config.side, config.channels])
      const noise = normalNoise(clean.shape, random)
      const [alpha, sigma] = [alphas, sigmas].map(
        (table) =>
        tf.tensor4d(timesteps.map((t) => table[t]), [batch, 1, 1, 1]), // prettier-ignore
      )
      const noised = tf.add(tf.mul(clean, alpha), tf.mul(noise, sigma)) as tf.Tensor4D
      const v = tf.sub(tf.mul(noise, alpha), tf.mul(clean, sigma))
      const condition = model.condition(tf.tensor3d(tokens, [batch, config.tokens, config.tokenWidth]), anchor)
      return { loss: meanSquaredError(model.forward(noised, timesteps, condition, anchor), v) }
    },
    write(pack) {
      writePart(join(pack, 'image_unet'), json, parameters, 'diffusion_pytorch_model')
      mkdirSync(join(pack, 'scheduler'), { recursive: true })
      writeJson(join(pack, 'scheduler', 'scheduler_config.json'), schedulerJson)
    },
  }
}
