import * as tf from '@tensorflow/tfjs-core'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { LowLevelNetwork } from '../../src-main/models/lowLevelNetwork.ts'
import type { LowLevelConfig } from '../../src-main/models/lowLevelNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { loadTraining, saveTraining } from '../../src-main/nn/stateFile.ts'
import { combineRepeats, contrastTokens, LowLevelTrainer } from '../../src-main/training/lowLevel.ts'
import type { LowLevelData } from '../../src-main/training/lowLevel.ts'
import { drawRepeats, lowLevelDefaults, LowLevelPlan } from '../../src-main/training/lowLevelPlan.ts'
import { fixedTargets } from '../../src-main/training/targets.ts'

beforeAll(() => loadBackend())

const folder = mkdtempSync(join(tmpdir(), 'mindeye-low-level-'))
afterAll(() => rmSync(folder, { recursive: true }))

const config: LowLevelConfig = {
  voxels: 30,
  hidden: 24,
  blocks: 2,
  map: { side: 4, channels: 6 },
  channels: [4, 8],
  layers: 1,
  groups: 2,
  latent: 2,
  features: 0,
  dropout: [0.1, 0.1],
}
const options = { ...lowLevelDefaults, batchSize: 4, epochs: 40 }
const [items, repeats, side] = [12, 3, 8]

function lowLevelData(contrast: boolean): LowLevelData {
  const random = new Random(5)
  const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const images = tf.keep(tf.sigmoid(tf.tensor4d(normal(items * 8 * 8 * 3), [items, 8, 8, 3])))
  // A stand-in for the teacher: 4 x 4 tokens of an image, as wide as its pixels.
  const teacher = (batch: tf.Tensor4D) => tf.sub(tf.avgPool(batch, 2, 2, 'valid'), 0.5)
  return {
    items,
    repeats,
    voxelCount: config.voxels,
    voxels: normal(items * repeats * config.voxels),
    latents: fixedTargets(
      normal(items * side * side * config.latent).map((z) => z * 0.2),
      side * side * config.latent,
    ),
    contrast: contrast
      ? contrastTokens(teacher, (of) => tf.gather(images, tf.tensor1d(of, 'int32')), new Random(6))
      : undefined,
  }
}

function setUp(features: number) {
  const random = new Random(1)
  const parameters = new Parameters()
  const model = new LowLevelNetwork(parameters, { ...config, features })
  parameters.initialise(random)
  const plan = new LowLevelPlan(options, items, repeats, random)
  return { parameters, trainer: new LowLevelTrainer(model, parameters, plan, options, random) }
}

describe('LowLevelTrainer', () => {
  it.each([0, 3])('learns with contrast on %d features, and leaves no tensors behind from step to step', (features) => {
    const { parameters, trainer } = setUp(features)
    const data = lowLevelData(features > 0)
    const steps = [trainer.step(data)]
    const tensors = tf.memory().numTensors
    for (let i = 1; i < 90; i++) steps.push(trainer.step(data))
    expect(tf.memory().numTensors).toBe(tensors)
    const mean = (part: typeof steps, of: 'l1' | 'contrast') =>
      part.reduce((sum, step) => sum + step[of]!, 0) / part.length
    for (const of of features ? (['l1', 'contrast'] as const) : (['l1'] as const))
      expect(mean(steps.slice(-10), of), of).toBeLessThan(0.95 * mean(steps.slice(0, 10), of))
    const [{ loss, l1, contrast }] = steps
    expect(loss).toBeCloseTo(l1 / 0.18215 + 0.1 * (contrast ?? 0), 4)
    expect(contrast !== undefined).toBe(features > 0)
    parameters.dispose()
  })

  it('goes on from a checkpoint as if it had never stopped, to the bit', () => {
    const data = lowLevelData(true)
    const path = (name: string) => join(folder, name)
    const whole = setUp(3)
    for (let i = 0; i < 3; i++) whole.trainer.step(data)
    saveTraining(path('three'), whole.parameters, { steps: 3 })
    const expected = [whole.trainer.step(data).loss, whole.trainer.step(data).loss]
    saveTraining(path('five'), whole.parameters, { steps: 5 })

    const resumed = setUp(3)
    resumed.trainer.optimizer.steps = (loadTraining(path('three'), resumed.parameters) as { steps: number }).steps
    expect([resumed.trainer.step(data).loss, resumed.trainer.step(data).loss]).toEqual(expected)
    saveTraining(path('resumed'), resumed.parameters, { steps: 5 })
    expect(readFileSync(path('resumed')).equals(readFileSync(path('five')))).toBe(true)
  })

  it('refuses a head without a teacher and a teacher without a head', () => {
    const { trainer } = setUp(3)
    expect(() => trainer.step(lowLevelData(false))).toThrow(/head/)
    expect(() => setUp(0).trainer.step(lowLevelData(true))).toThrow(/head/)
  })

  it('stops before anything changes when the loss is not finite', () => {
    const { trainer, parameters } = setUp(0)
    const data = lowLevelData(false)
    data.voxels.fill(NaN)
    const bias = () => [...parameters.get('upsampler.conv_out.bias').download('value')][0]
    const before = bias()
    expect(() => trainer.step(data)).toThrow(/step 0: expected a finite loss, found L1 NaN/)
    expect(bias()).toEqual(before)
  })
})

describe('the plan of a low-level training', () => {
  it('has the published schedule', () => {
    const plan = new LowLevelPlan(lowLevelDefaults, 8859, 3, new Random(0))
    expect([plan.stepsPerEpoch, plan.totalSteps]).toEqual([1107, 132_840])
    expect(plan.at(0).lr).toBeCloseTo(2e-5, 12)
    expect(plan.at(2213).lr).toBeCloseTo(5e-4, 12)
    expect(plan.at(2213).beta1).toBeCloseTo(0.85, 12)
  })

  it('shows every example once per epoch', () => {
    const plan = new LowLevelPlan(options, items, repeats, new Random(3))
    const seen = [0, 1, 2].flatMap((step) => [...plan.at(step).items])
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: items }, (_, i) => i))
  })

  it('combines repeats in the three ways of the original, as often', () => {
    const counts = { combination: 0, mean: 0, single: 0 }
    const random = new Random(4)
    for (let i = 0; i < 2000; i++) {
      const weights = drawRepeats(random, 2, 3)
      for (const row of [weights.subarray(0, 3), weights.subarray(3)])
        expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6)
      const isSingle = weights.every((w) => w === 0 || w === 1)
      counts[isSingle ? 'single' : weights.every((w) => w === Math.fround(1 / 3)) ? 'mean' : 'combination']++
    }
    expect(Math.abs(counts.combination - 1000)).toBeLessThan(80)
    expect(Math.abs(counts.mean - 600)).toBeLessThan(80)
    expect(Math.abs(counts.single - 400)).toBeLessThan(80)
  })

  it('weighs voxels by repeat', () => {
    const voxels = Float32Array.of(0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6) // item 1: repeats (1, 2), (3, 4), (5, 6)
    const data = { voxels, voxelCount: 2, repeats: 3 }
    const chosen = { items: Int32Array.of(1), weights: Float32Array.of(0.5, 0, 0.5) }
    expect([...combineRepeats(data, chosen)]).toEqual([3, 4])
  })
})
