import * as tf from '@tensorflow/tfjs-core'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { LatentDenoiser, latentDenoiserConfig } from '../../src-main/models/latentDenoiser.ts'
import { denoiserSizes, loadDenoiser } from '../../src-main/models/loadDenoiser.ts'
import { verifyPack } from '../../src-main/models/pack.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { saveModel } from '../../src-main/nn/stateFile.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import { normal } from '../support/gradients.ts'

beforeAll(() => loadBackend())

const base = fs.mkdtempSync(join(tmpdir(), 'small-denoiser-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const json = {
  _class_name: 'LatentDenoiser',
  ...{ latent_channels: 2, sample_size: 4, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2 },
  ...{ num_attention_heads: 2, num_tokens: 5, token_width: 3 },
}

/** A random network, and a pack that holds it. */
function saved() {
  const folder = join(base, 'image_unet')
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(join(folder, 'config.json'), JSON.stringify(json))
  const parameters = new Parameters()
  const model = new LatentDenoiser(parameters, latentDenoiserConfig(json, 'config.json'))
  parameters.initialise(new Random(8))
  saveModel(join(folder, 'model.safetensors'), parameters)
  return { folder, model, parameters }
}

it('is loaded by the class that its config.json names, and computes what the network computes', () => {
  const { folder, model } = saved()
  const sizes = {
    prediction: 'v_prediction',
    latentChannels: 2,
    latentSide: 4,
    tokens: 5,
    width: 3,
    startScaling: 'signed',
    guidance: 1.75,
  }
  expect(denoiserSizes(folder)).toEqual(sizes)
  const denoiser = loadDenoiser(folder)
  expect(denoiser).toMatchObject(sizes)
  const [latents, tokens] = [normal([2, 4, 4, 2]) as tf.Tensor4D, normal([2, 5, 3]) as tf.Tensor3D]
  const expected = model.forward(latents, [321], model.condition(tokens)).dataSync<'float32'>()
  const { numTensors } = tf.memory()
  const condition = denoiser.condition(tokens)
  const v = condition.predict(latents, 321)
  expectClose(v.dataSync(), expected, { atol: 1e-6, rtol: 1e-5 }, 'v')
  v.dispose()
  condition.dispose()
  expect(tf.memory().numTensors).toBe(numTensors)
  denoiser.dispose()
})

it('is a part of a pack as the published UNet is', () => {
  const { parameters } = saved()
  const part = verifyPack(base).parts.find(({ part }) => part === 'image_unet')!
  expect(part).toMatchObject({ state: 'ready', faults: [], parameters: parameters.count })
  expect(part.memory).toBeGreaterThan(4 * parameters.count)
})

it('leaves the published class to the published UNet', () => {
  const [fixture] = fixtureCases('hf_models', (name) => name.startsWith('vd_image_unet'))
  const folder = join(fixture.folder, fixture.config.folder as string)
  expect(denoiserSizes(folder)).toMatchObject({ prediction: 'epsilon', tokens: 257, startScaling: 'clip' })
})
