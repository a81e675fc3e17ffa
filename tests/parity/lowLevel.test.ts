import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { encodeSafetensors, openSafetensors } from '../../src-main/formats/safetensors.ts'
import { openBytes } from '../../src-main/formats/source.ts'
import { LowLevelNetwork, lowLevelConfig } from '../../src-main/models/lowLevelNetwork.ts'
import { withOldAttentionNames } from '../../src-main/models/vaeBlocks.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import type { FixtureCase } from '../support/fixtures.ts'
import { channelsFirst } from '../support/maps.ts'

beforeAll(() => loadBackend())

interface Config {
  V: number
  h: number
  blocks: number
  use_cont: boolean
  ups_mode: string
  features_shape: [number, number, number]
}

/** diffusers' names before 0.17 → since. */
const modern = (key: string) =>
  key
    .replace(/(attentions\.\d+\.)(query|key|value)\./, (_, at: string, part: string) => `${at}to_${part[0]}.`)
    .replace('proj_attn', 'to_out.0')

function modelOf({ config, weights }: FixtureCase, rename: (key: string) => string, asConvolution = false) {
  const { V, h, blocks, use_cont, ups_mode } = config as unknown as Config
  expect(ups_mode).toBe('4x')
  const parameters = new Parameters()
  const model = new LowLevelNetwork(parameters, {
    ...lowLevelConfig(V, use_cont),
    hidden: h,
    blocks,
    dropout: [0, 0],
  })
  const tensors = Object.fromEntries(
    [...weights].map(([name, { shape, data }]) => {
      const isMatrix = /(query|key|value|proj_attn)\.weight$/.test(name)
      return [
        rename(name),
        { dtype: 'float32' as const, shape: isMatrix && asConvolution ? [...shape, 1, 1] : shape, data },
      ]
    }),
  )
  const file = openSafetensors(openBytes(encodeSafetensors(tensors), 'weights'))
  parameters.load(withOldAttentionNames(file.arrays), 'weights')
  return { parameters, model }
}

describe('the low-level network equals the original', () => {
  // The plain backend takes half a minute for one forward pass of the full-size upsampler.
  it.each(fixtureCases('low_level'))(
    '$name',
    (fixture) => {
      const { config, tensors, tolerances, stats } = fixture
      const { parameters, model } = modelOf(fixture, (key) => key)
      const x = tensors.get('x')!
      const { latent, features } = model.forward(tf.tensor2d(x.data, x.shape as [number, number]))
      expectClose(channelsFirst(latent), tensors.get('latent')!.data, tolerances, 'latent')
      expect(features?.shape).toEqual(config.features_shape)
      const numbers = features!.dataSync<'float32'>()
      expectClose(numbers.subarray(0, 256), tensors.get('features#first256')!.data, tolerances, 'features#first256')
      const some = tensors.get('features#strided')!.data
      const strided = Float32Array.from(some, (_, i) => numbers[i * stats.features.stride])
      expectClose(strided, some, tolerances, 'features#strided')
      const l2 = Math.sqrt(numbers.reduce((sum, y) => sum + y * y, 0))
      expect(Math.abs(l2 - stats.features.l2)).toBeLessThanOrEqual(10 * tolerances.rtol * stats.features.l2)
      parameters.dispose()
    },
    240_000,
  )

  it('loads the same from either spelling of the attention keys, Linear or 1x1 convolution', () => {
    const [fixture] = fixtureCases('low_level')
    const values = [(key: string) => key, modern].map((rename, as4d) => {
      const { parameters } = modelOf(fixture, rename, as4d === 1)
      const all = [...parameters].map(({ name }) => [name, [...parameters.get(name).download('value')]])
      parameters.dispose()
      return all
    })
    expect(values[1]).toEqual(values[0])
  })
})
