import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { loadClipVision } from '../../src-main/models/pretrained.ts'
import { clipPixels } from '../../src-main/training/augmentation.ts'
import { ClipEncoder } from '../../src-main/training/clipEncoder.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import { channelsFirst, channelsLast } from '../support/maps.ts'

beforeAll(() => loadBackend())

describe('ClipVision equals the original', () => {
  const cases = fixtureCases('hf_models', (name) => name.startsWith('clip_'))
  it.each(cases)('$name', ({ folder, config, tensors, tolerances }) => {
    const path = join(folder, config.folder as string)
    const expectSame = (output: tf.Tensor, name: string) =>
      expectClose(output.dataSync(), tensors.get(name)!.data, tolerances, name)

    const { model, parameters } = loadClipVision(path)
    const image = channelsLast(tensors.get('image')!)
    expectClose(
      channelsFirst(clipPixels(image, model.config.image)),
      tensors.get('pixel_values')!.data,
      tolerances,
      'pixel_values',
    )

    const pixels = channelsLast(tensors.get('pixel_values')!)
    const outputs = () => [model.lastHiddenState(pixels), model.embedding(pixels), model.imageEmbed(pixels)]
    const [hidden, embedding, pooled] = outputs()
    expectSame(hidden, 'last_hidden_state')
    expectSame(embedding, 'embedding')
    expectSame(pooled, 'image_embeds')

    const before = tf.memory().numTensors
    tf.dispose(outputs())
    expect(tf.memory().numTensors).toBe(before)
    parameters.dispose()

    const encoder = new ClipEncoder(path)
    expectSame(encoder.embed(image), 'embedding')
    expect([encoder.tokens, encoder.width]).toEqual(tensors.get('embedding')!.shape.slice(1))
    encoder.dispose()
  })
})
