import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { loadConvNeXt } from '../../src-main/models/convNeXt.ts'
import { expectClose, formulaWeights } from '../support/fixtures.ts'
import type { FormulaKey } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const reference = JSON.parse(readFileSync(new URL('../fixtures/reference/convNeXt.json', import.meta.url), 'utf8')) as {
  config: { depths: number[]; dims: number[]; projector: number[] }
  seed: number
  keys: FormulaKey[]
  image: FormulaKey
  tokens: { shape: number[]; data: number[] }
}

const folder = mkdtempSync(join(tmpdir(), 'mindeye-convnext-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, rename: (key: string) => string | undefined, others: string[] = []): string {
  const arrays: Record<string, NdArray> = {}
  for (const key of reference.keys) {
    const published = rename(key.key)
    if (published) arrays[published] = { dtype: 'float32', shape: key.shape, data: formulaWeights(reference.seed, key) }
  }
  for (const other of others) arrays[other] = { dtype: 'float32', shape: [2], data: new Float32Array(2) }
  const path = join(folder, name)
  writeFileSync(path, encodeSafetensors(arrays))
  return path
}

/** As VICRegL's training leaves it. */
const checkpoint = () =>
  file('full.safetensors', (key) => `model.module.${key}`, [
    'model.module.projector.0.weight',
    'model.module.classifier.bias',
    'optimizer.state.0.exp_avg',
  ])

describe('ConvNeXt equals a PyTorch one of the same structure', () => {
  it('gives its tokens, sizes taken from the checkpoint', () => {
    const before = tf.memory().numTensors
    const network = loadConvNeXt(checkpoint())
    const loaded = tf.memory().numTensors
    const image = tf.tidy(() => {
      const [batch, channels, height, width] = reference.image.shape
      const numbers = formulaWeights(reference.seed, reference.image)
      return tf.transpose(tf.tensor4d(numbers, [batch, channels, height, width]), [0, 2, 3, 1])
    })
    const tokens = network.tokens(image)
    expect(tokens.shape).toEqual(reference.tokens.shape)
    expectClose(tokens.dataSync(), reference.tokens.data, { atol: 0, rtol: 2e-5 }, 'tokens')
    tf.dispose([image, tokens])
    expect(tf.memory().numTensors).toBe(loaded)
    network.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  it('says which checkpoint it needs when the projector is missing', () => {
    const path = file('backbone.safetensors', (key) => /^backbone\.(.*)/.exec(key)?.[1])
    expect(() => loadConvNeXt(path)).toThrow(/maps_projector/)
    const named = file('named.safetensors', (key) => (key.startsWith('backbone.') ? key : undefined))
    expect(() => loadConvNeXt(named)).toThrow(/4 downsampling layers and 0 layers of a projector/)
  })

  it('lists a block that is incomplete', () => {
    const before = tf.memory().numTensors
    const path = file('cut.safetensors', (key) => (key === 'backbone.stages.2.1.pwconv2.bias' ? undefined : key))
    expect(() => loadConvNeXt(path)).toThrow(/backbone\.stages\.2\.1\.pwconv2\.bias \[16\] is missing/)
    expect(tf.memory().numTensors).toBe(before)
  })
})
