import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import {
  featureNetworks,
  IMAGENET_NORMALIZATION,
  loadMetricNetwork,
  preprocess,
} from '../../src-main/evaluation/metricNetworks.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { EfficientNetB1 } from '../../src-main/models/efficientNet.ts'
import { CLIP_NORMALIZATION } from '../../src-main/nn/image/colour.ts'
import { Random } from '../../src-main/nn/random.ts'
import { loadClipVision } from '../../src-main/models/pretrained.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const folder = mkdtempSync(join(tmpdir(), 'mindeye-metrics-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** EfficientNet-B1 as torchvision's file has it, with random weights. */
function published(name: string, change: (arrays: Record<string, NdArray>) => void): string {
  const network = new EfficientNetB1()
  network.parameters.initialise(new Random(2))
  const arrays: Record<string, NdArray> = {}
  for (const parameter of network.parameters) {
    const [data] = [...parameter.download('value')].map((part) => Float32Array.from(part))
    arrays[parameter.name] = { dtype: 'float32', shape: [...parameter.shape], data }
    if (parameter.name.endsWith('.running_var')) {
      const counter = parameter.name.replace('running_var', 'num_batches_tracked')
      arrays[counter] = { dtype: 'int64', shape: [], data: new BigInt64Array(1) }
    }
  }
  network.dispose()
  change(arrays)
  const path = join(folder, name)
  writeFileSync(path, encodeSafetensors(arrays))
  return path
}
const classifier: NdArray = { dtype: 'float32', shape: [2], data: new Float32Array(2) }

/** Images of which some pixels are beyond [0, 1]. */
const images = (count: number) => tf.randomUniform([count, 20, 30, 3], -0.3, 1.3, 'float32', 7) as tf.Tensor4D

describe('a metric network', () => {
  it.each([
    ['alexnet', 'alexnet'],
    ['inception_v3', 'inception_v3'],
    ['efficientnet_b1', 'efficientnet_b1'],
    ['resnet50', 'swav'],
  ] as const)('gets images of the size and normalization that %s gets officially', (recorded, kind) => {
    const path = new URL(`../fixtures/metrics/net_${recorded}/case.json`, import.meta.url)
    const { config } = JSON.parse(readFileSync(path, 'utf8')) as { config: { size: number; normalize: object } }
    expect(featureNetworks[kind].size).toBe(config.size)
    expect(IMAGENET_NORMALIZATION).toEqual(config.normalize)
  })

  it('gives one row per image, whatever the batches, of clamped images', () => {
    const path = published('ok.safetensors', (arrays) => (arrays['classifier.1.bias'] = classifier))
    const before = tf.memory().numTensors
    const network = loadMetricNetwork('efficientnet_b1', path)
    const all = images(18)
    const loaded = tf.memory().numTensors
    const { avgpool } = network.extract(all)
    expect(avgpool.shape).toEqual([18, 1280])
    expect(tf.memory().numTensors).toBe(loaded + 1)
    const last = tf.tidy(() => network.extract(tf.clipByValue(tf.slice(all, [17, 0, 0, 0], [1, -1, -1, -1]), 0, 1)))
    const row = avgpool.dataSync<'float32'>().subarray(17 * 1280)
    expectClose(row, last.avgpool.dataSync(), { atol: 1e-6, rtol: 1e-4 }, 'last row')
    expect(row.some((value, i) => value !== avgpool.dataSync()[i])).toBe(true)
    tf.dispose([all, avgpool, last])
    network.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  it('says by name what a file lacks or has too much, and leaves nothing behind', () => {
    const path = published('cut.safetensors', (arrays) => {
      delete arrays['features.1.0.block.0.1.running_mean']
      arrays['features.9.0.weight'] = classifier
    })
    const before = tf.memory().numTensors
    const load = () => loadMetricNetwork('efficientnet_b1', path)
    expect(load).toThrow(/features\.1\.0\.block\.0\.1\.running_mean \[32\] is missing/)
    expect(load).toThrow(/features\.9\.0\.weight \[2\] is extra/)
    expect(() => loadMetricNetwork('swav', join(folder, 'none.pth'))).toThrow()
    expect(tf.memory().numTensors).toBe(before)
  })

  it('is also CLIP, with its own size and normalization', () => {
    const [{ folder: fixture }] = fixtureCases('hf_models', (name) => name.startsWith('clip_vision'))
    const path = join(fixture, 'model')
    const network = loadMetricNetwork('image_encoder', path)
    const [some, { model, parameters }] = [images(3), loadClipVision(path)]
    const pixels = preprocess(some, { size: model.config.image, ...CLIP_NORMALIZATION })
    const { image_embeds } = network.extract(some)
    expect(image_embeds.shape).toEqual([3, model.config.projection])
    expectClose(image_embeds.dataSync(), model.imageEmbed(pixels).dataSync(), { atol: 0, rtol: 1e-5 }, 'embeddings')
    parameters.dispose()
    network.dispose()
  })
})
