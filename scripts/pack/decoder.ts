/**
 * The decoder of the demo pack's autoencoder goes on learning by itself, the encoder fixed: that takes half the time per step, and the
 * denoiser, which needs nothing but the encoder's latents, learns meanwhile.
 */
import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import { decoderBlocks, fold } from '../../src-main/models/autoencoderKl.ts'
import { loadAutoencoderKl } from '../../src-main/models/pretrained.ts'
import { autoencoderKind, openNetwork } from '../../src-main/models/pretrained.ts'
import { through } from '../../src-main/models/vaeBlocks.ts'
import { normalNoise } from '../../src-main/nn/noise.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { meanAbsoluteError, meanSquaredError } from '../../src-main/training/losses.ts'
import type { LatentData } from './denoiser.ts'
import type { PackPart } from './trainPart.ts'
import type { Scenes } from './world.ts'
import { drawItems, pictureBatch } from './world.ts'
import { writeHalf } from './writePart.ts'

/** Latents of a denoiser are never quite right; these are off by up to this share of their SD. */
const NOISE = 0.2
const L1_WEIGHT = 0.1

/** MSE + 0.1 L1 of pictures in [−1, 1] from latents with some noise. */
export function decoderTraining(
  scenes: Scenes,
  data: LatentData,
  pack: string,
  { batch = 16, steps = 1680 } = {},
): PackPart {
  const folder = join(pack, 'vae')
  const network = openNetwork(autoencoderKind, folder)
  network.close()
  const { config } = network
  const parameters = new Parameters()
  const blocks = decoderBlocks(parameters, config)
  const size = data.latents.length / data.count
  const side = Math.sqrt(size / config.latentChannels)
  return {
    ...{ parameters, steps, maxLr: 1.5e-3, weightDecay: 0.01 },
    begin() {
      const opened = openNetwork(autoencoderKind, folder)
      const names = new Set([...parameters].map(({ name }) => name))
      parameters.load(
        opened.arrays.filter(({ name }) => names.has(name)),
        folder,
      )
      opened.close()
    },
    terms(random, anchor) {
      const items = drawItems(scenes, batch, random)
      const images = tf.sub(tf.mul(pictureBatch(scenes, items), 2), 1) as tf.Tensor4D
      const rows = new Float32Array(batch * size)
      for (const [i, item] of items.entries()) rows.set(data.latents.subarray(item * size, (item + 1) * size), i * size)
      const latents = tf.tensor4d(rows, [batch, side, side, config.latentChannels])
      const deviation = tf.tensor4d(
        items.map(() => NOISE * random.uniform()),
        [batch, 1, 1, 1],
      )
      const disturbed = tf.add(latents, tf.mul(normalNoise(latents.shape, random), deviation))
      const decoded = through(tf.div(disturbed, config.scalingFactor), blocks, anchor)
      const truth = fold(images, config.patch)
      const [mse, l1] = [meanSquaredError(decoded, truth), meanAbsoluteError(decoded, truth)]
      return { loss: tf.add(mse, tf.mul(l1, L1_WEIGHT)) as tf.Scalar, mse, l1 }
    },
    write() {
      const whole = loadAutoencoderKl(folder)
      const own = new Map([...parameters].map((parameter) => [parameter.name, parameter]))
      const all = [...whole.parameters].map((parameter) => own.get(parameter.name) ?? parameter)
      writeHalf(join(folder, 'diffusion_pytorch_model.safetensors'), all)
      whole.parameters.dispose()
    },
  }
}
