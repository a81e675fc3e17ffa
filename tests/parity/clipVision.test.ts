import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import { beforeAll, describe, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { loadClipVision } from '../../src-main/models/pretrained.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

describe('ClipVision equals the original', () => {
  const cases = fixtureCases('hf_models', (name) => name.startsWith('clip_'))
  it.each(cases)('$name', ({ folder, config, tensors, tolerances }) => {
    const { model, parameters } = loadClipVision(join(folder, config.folder as string))
    const pixels = tf.tidy(() => {
      const { shape, data } = tensors.get('pixel_values')!
      return tf.transpose(tf.tensor4d(data, shape as [number, number, number, number]), [0, 2, 3, 1])
    }) as tf.Tensor4D
    for (const [name, output] of [
      ['last_hidden_state', model.lastHiddenState(pixels)],
      ['embedding', model.embedding(pixels)],
      ['image_embeds', model.imageEmbed(pixels)],
    ] as const) {
      expectClose(output.dataSync(), tensors.get(name)!.data, tolerances, name)
      output.dispose()
    }
    pixels.dispose()
    parameters.dispose()
  })
})
