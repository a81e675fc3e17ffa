import type * as tf from '@tensorflow/tfjs-core'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MindEyeError } from '../../src-main/base/errors.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { elementCount } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import type { Noise, NoiseShape } from '../../src-main/reconstruction/noise.ts'
import { recordedNoise, seededNoise } from '../../src-main/reconstruction/noise.ts'

beforeAll(() => loadBackend())

const base = fs.mkdtempSync(join(tmpdir(), 'noise-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const shape: NoiseShape = { candidates: 2, tokens: 3, width: 4, side: 2, channels: 5 }

/** Counts up from `first`, so that each number tells where it comes from. */
const counting = (dims: number[], first: number): NdArray => ({
  dtype: 'float32',
  shape: dims,
  data: Float32Array.from({ length: elementCount(dims) }, (_, i) => first + i),
})

const recording = (): Record<string, NdArray> => ({
  prior_start: counting([2, 3, 4], 0),
  prior_steps: counting([100, 2, 3, 4], 24),
  encoding: counting([1, 5, 2, 2], 10_000),
  start: counting([2, 5, 2, 2], 20_000),
})

let count = 0
function written(arrays: Record<string, NdArray>): string {
  const path = join(base, `${count++}.safetensors`)
  fs.writeFileSync(path, encodeSafetensors(arrays))
  return path
}

const drawn = (draw: () => tf.Tensor, times: number) => Array.from({ length: times }, () => [...draw().dataSync()])

describe('recorded noise', () => {
  test('is given in the official order, latents with channels last', () => {
    const noise = recordedNoise(written(recording()), shape, true)
    for (let image = 0; image < 2; image++) {
      // Every picture sees the same numbers from their beginning.
      const prior = drawn(noise.prior(), 101)
      expect(prior.flat()).toEqual(Array.from({ length: 101 * 24 }, (_, i) => i))
      expect(noise.encoding().shape).toEqual([1, 2, 2, 5])
      // Place (y, x), channel c was number c·4 + y·2 + x.
      expect([...noise.encoding().dataSync()].slice(0, 6)).toEqual([10_000, 10_004, 10_008, 10_012, 10_016, 10_001])
      expect(noise.start().shape).toEqual([2, 2, 2, 5])
      expect([...noise.start().dataSync()].slice(19, 22)).toEqual([20_019, 20_020, 20_024])
    }
    noise.close()
  })

  test('is refused where an array is missing or of another shape, with both', () => {
    const refusal = (arrays: Record<string, NdArray>, needsEncoding = true) => {
      try {
        recordedNoise(written(arrays), shape, needsEncoding).close()
      } catch (error) {
        return (error as MindEyeError).parts
      }
      return undefined
    }
    const { encoding: _, ...without } = recording()
    expect(refusal(without)).toMatchObject({
      field: 'encoding',
      expected: 'float32 [1, 5, 2, 2]',
      found: 'no such array',
    })
    expect(refusal(without, false)).toBeUndefined()
    expect(refusal({ ...recording(), prior_steps: counting([50, 2, 3, 4], 0) })).toMatchObject({
      ...{ kind: 'input', field: 'prior_steps' },
      ...{ expected: 'float32 [100, 2, 3, 4]', found: 'float32 [50, 2, 3, 4]' },
    })
    expect(refusal({ ...recording(), start: counting([1, 5, 2, 2], 0) })).toMatchObject({ field: 'start' })
  })
})

describe('noise from a seed', () => {
  const all = (noise: Noise) => [
    ...drawn(noise.prior(), 3),
    [...noise.encoding().dataSync()],
    [...noise.start().dataSync()],
  ]

  test('is the same for every picture, other numbers for each draw and seed', () => {
    const noise = seededNoise(42, shape)
    const first = all(noise)
    expect(all(noise)).toEqual(first)
    expect(all(seededNoise(42, shape))).toEqual(first)
    const other = all(seededNoise(43, shape))
    const numbers = [...first, ...other].flat()
    expect(new Set(numbers).size).toBe(numbers.length)
    expect(first.map((part) => part.length)).toEqual([24, 24, 24, 20, 40])
  })
})
