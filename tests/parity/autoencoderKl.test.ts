import * as tf from '@tensorflow/tfjs-core'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { openWeights } from '../../src-main/formats/weights.ts'
import { AutoencoderKl, autoencoderConfig, sampleLatents } from '../../src-main/models/autoencoderKl.ts'
import { withOldAttentionNames } from '../../src-main/models/vaeBlocks.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import { channelsFirst, channelsLast } from '../support/maps.ts'

beforeAll(() => loadBackend())

const isVae = (folder: string) => existsSync(join(folder, 'vae', 'config.json'))

function load(folder: string) {
  const json = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>
  const file = openWeights(
    join(
      folder,
      readdirSync(folder).find((name) => name.startsWith('diffusion_pytorch_model'))!,
    ),
  )
  const parameters = new Parameters()
  const model = new AutoencoderKl(parameters, autoencoderConfig(json))
  parameters.load(withOldAttentionNames(file.arrays), folder)
  file.close()
  return { json, parameters, model }
}

describe('AutoencoderKl equals the original', () => {
  const cases = fixtureCases('hf_models').filter(({ folder }) => isVae(folder))
  it.each(cases)('$name', ({ folder, tensors, tolerances }) => {
    const { model, parameters } = load(join(folder, 'vae'))
    const recorded = (name: string) => channelsLast(tensors.get(name)!)
    const expectSame = (map: tf.Tensor, name: string) =>
      expectClose(channelsFirst(map), tensors.get(name)!.data, tolerances, name)

    const images = recorded('image')
    const moments = model.encode(images)
    expectSame(tf.concat([moments.mean, moments.logVariance], 3), 'moments')
    expectSame(tf.clipByValue(moments.logVariance, -30, 20), 'logvar_clamped')
    expectSame(model.mode(images), 'mode')
    expectSame(sampleLatents(moments, recorded('noise')), 'sample')
    expectSame(model.decode(recorded('z')), 'decoded')

    const before = tf.memory().numTensors
    tf.dispose([model.mode(images), model.decode(moments.mean)])
    expect(tf.memory().numTensors).toBe(before)
    parameters.dispose()
  })

  it('clamps the log variance when it samples', () => {
    const [mean, noise] = [tf.zeros([1, 1, 2, 1]), tf.ones([1, 1, 2, 1])] as tf.Tensor4D[]
    const sample = sampleLatents({ mean, logVariance: tf.tensor4d([-100, 100], [1, 1, 2, 1]) }, noise).dataSync()
    expectClose(sample, [Math.exp(-15), Math.exp(10)], { atol: 0, rtol: 1e-6 }, 'sample')
  })
})

describe('autoencoderConfig', () => {
  const json = { block_out_channels: [8, 16], latent_channels: 4, norm_num_groups: 4 }
  it('takes what the file leaves out from diffusers', () => {
    expect(autoencoderConfig(json)).toEqual({
      imageChannels: 3,
      latentChannels: 4,
      channels: [8, 16],
      layers: 1,
      groups: 4,
      scalingFactor: 0.18215,
      patch: 1,
    })
  })

  it.each([
    [{ ...json, block_out_channels: [] }, /vae\/config\.json, block_out_channels/],
    [{ ...json, act_fn: 'relu' }, /act_fn.*silu/],
    [{ ...json, down_block_types: ['AttnDownEncoderBlock2D'] }, /down_block_types\.0.*DownEncoderBlock2D/],
    [{ ...json, use_quant_conv: false }, /use_quant_conv.*true/],
    [{}, /block_out_channels/],
    ['text', /vae\/config\.json/],
  ])('refuses %j by name', (bad, words) => {
    expect(() => autoencoderConfig(bad, 'vae/config.json')).toThrow(words)
  })
})
