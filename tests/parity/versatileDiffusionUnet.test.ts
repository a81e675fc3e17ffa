import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { openModelFolder } from '../../src-main/models/modelFolder.ts'
import { loadImageUnet } from '../../src-main/models/pretrained.ts'
import { unetConfig } from '../../src-main/models/unetConfig.ts'
import { imageUnetArrays, VersatileDiffusionUnet } from '../../src-main/models/versatileDiffusionUnet.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import type { FixtureCase } from '../support/fixtures.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import { normal } from '../support/gradients.ts'

beforeAll(() => loadBackend())

const cases = fixtureCases('hf_models', (name) => name.startsWith('vd_image_unet'))

/** Latents and the image's tokens of the recorded context, whose first are the text's. */
function inputs({ config, tensors }: FixtureCase) {
  const latents = channelsLast(tensors.get('x')!) as tf.Tensor4D
  const { shape, data } = tensors.get('context')!
  const context = tf.tidy(() => {
    const whole = tf.tensor3d(data, shape as [number, number, number])
    return tf.slice(whole, [0, config.text_tokens as number, 0], [-1, -1, -1])
  })
  return { latents, context }
}

const folderOf = ({ folder, config }: FixtureCase) => join(folder, config.folder as string)
const channelsLast = ({ shape, data }: { shape: number[]; data: Float32Array }) =>
  tf.tidy(() => tf.transpose(tf.tensor(data, shape), [0, 2, 3, 1]))
const channelsFirst = (x: tf.Tensor) => tf.tidy(() => tf.transpose(x, [0, 3, 1, 2]).dataSync())

describe('VersatileDiffusionUnet equals the original', () => {
  it.each(cases)('$name', (fixture) => {
    const { model, parameters } = loadImageUnet(folderOf(fixture))
    const { latents, context } = inputs(fixture)
    const { tensors, tolerances } = fixture
    const { timesteps } = fixture.config as { timesteps: number[] }
    const prepared = model.prepareContext(context)
    const { numTensors } = tf.memory()
    for (const t of timesteps) {
      const expected = tensors.get(`out_t${t}`)!.data
      const steps = latents.shape.slice(0, 1).map(() => t)
      for (const out of [
        model.forward(latents, t, context),
        model.forward(latents, t, prepared),
        model.forward(latents, steps, prepared),
      ]) {
        expectClose(channelsFirst(out), expected, tolerances, `out_t${t}`)
        out.dispose()
      }
    }
    expect(tf.memory().numTensors).toBe(numTensors)
    prepared.dispose()
    parameters.dispose()
  })

  it.each(cases)('$name under the names of dual attention', (fixture) => {
    const folder = openModelFolder(folderOf(fixture))
    const dual = folder.arrays.flatMap((array) => {
      const [before, after] = array.name.split(/(?<=\.attentions\.\d+)\./)
      if (!after) return [array]
      return [0, 1].map((i) => ({ ...array, name: `${before}.transformers.${i}.${after}` }))
    })
    const { dual_keys } = fixture.config as { dual_keys: string[] }
    expect(dual.map(({ name }) => name)).toEqual(expect.arrayContaining(dual_keys))
    const parameters = new Parameters()
    const model = new VersatileDiffusionUnet(parameters, unetConfig(folder.config, 'config.json'))
    parameters.load(imageUnetArrays(dual), 'weights')
    folder.close()
    const { latents, context } = inputs(fixture)
    const [t] = (fixture.config as { timesteps: number[] }).timesteps
    const out = model.forward(latents, t, context)
    expectClose(channelsFirst(out), fixture.tensors.get(`out_t${t}`)!.data, fixture.tolerances, `out_t${t}`)
    parameters.dispose()
  })

  it('gives each of a batch what it gives it alone, with a timestep of its own', () => {
    const { model, parameters } = loadImageUnet(folderOf(cases[0]))
    const { contextWidth, inputs: channels } = model.config
    // Together more than the 512 positions that the feed-forward layer takes at once, alone fewer.
    const latents = normal([2, 16, 24, channels]) as tf.Tensor4D
    const context = normal([2, 3, contextWidth]) as tf.Tensor3D
    const steps = [849, 50]
    const together = tf.unstack(model.forward(latents, steps, context))
    for (const [i, t] of steps.entries()) {
      const alone = model.forward(tf.slice(latents, [i, 0, 0, 0], [1]), t, tf.slice(context, [i, 0, 0], [1]))
      expectClose(together[i].dataSync(), alone.dataSync(), { atol: 1e-6, rtol: 1e-5 }, `sample ${i}`)
    }
    parameters.dispose()
  })
})
