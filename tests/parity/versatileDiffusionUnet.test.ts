import * as tf from '@tensorflow/tfjs-core'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import type { ArrayEntry } from '../../src-main/formats/array.ts'
import { openWeights } from '../../src-main/formats/weights.ts'
import { unetConfig } from '../../src-main/models/unetConfig.ts'
import { imageUnetArrays, VersatileDiffusionUnet } from '../../src-main/models/versatileDiffusionUnet.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import type { FixtureCase } from '../support/fixtures.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const cases = fixtureCases('hf_models', (name) => name.startsWith('vd_image_unet'))

/** The recorded model with its arrays, changed on the way if wanted. */
function recorded(fixture: FixtureCase, change = (arrays: ArrayEntry[]) => arrays) {
  const folder = join(fixture.folder, fixture.config.folder as string)
  const json = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>
  const weights = openWeights(
    join(
      folder,
      readdirSync(folder).find((name) => name.startsWith('diffusion'))!,
    ),
  )
  const parameters = new Parameters()
  const model = new VersatileDiffusionUnet(parameters, unetConfig(json, 'config.json'))
  parameters.load(imageUnetArrays(change(weights.arrays)), 'weights')
  weights.close()
  const latents = channelsLast(fixture.tensors.get('x')!) as tf.Tensor4D
  const { shape, data } = fixture.tensors.get('context')!
  const { text_tokens } = fixture.config as { text_tokens: number }
  const whole = tf.tensor3d(data, shape as [number, number, number])
  const context = tf.slice(whole, [0, text_tokens, 0], [-1, -1, -1]) // the image's tokens
  return { model, parameters, latents, context }
}

const channelsLast = ({ shape, data }: { shape: number[]; data: Float32Array }) =>
  tf.tidy(() => tf.transpose(tf.tensor(data, shape), [0, 2, 3, 1]))
const channelsFirst = (x: tf.Tensor) => tf.tidy(() => tf.transpose(x, [0, 3, 1, 2]).dataSync())

describe('VersatileDiffusionUnet equals the original', () => {
  it.each(cases)('$name', (fixture) => {
    const { model, parameters, latents, context } = recorded(fixture)
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
    const { model, parameters, latents, context } = recorded(fixture, (arrays) =>
      arrays.flatMap((array) => {
        const [before, after] = array.name.split(/(?<=\.attentions\.\d+)\./)
        if (!after) return [array]
        return [0, 1].map((i) => ({ ...array, name: `${before}.transformers.${i}.${after}` }))
      }),
    )
    const [t] = (fixture.config as { timesteps: number[] }).timesteps
    const out = model.forward(latents, t, context)
    expectClose(channelsFirst(out), fixture.tensors.get(`out_t${t}`)!.data, fixture.tolerances, `out_t${t}`)
    parameters.dispose()
  })
})
