import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import type { TrainingOptions } from '../../src-main/training/fields.ts'
import { createHighLevel } from '../../src-main/training/highLevel.ts'
import { biMixCo, mixRows, mixVoxels, normaliseRows } from '../../src-main/training/losses.ts'
import { TrainingPlan } from '../../src-main/training/plan.ts'
import { fixedTargets } from '../../src-main/training/targets.ts'
import { Trainer, voxelBatch } from '../../src-main/training/trainer.ts'
import { completed } from './smallTraining.ts'

beforeAll(() => loadBackend())

const [items, voxelCount, width] = [12, 9, 6]
const sizes = { hidden: 8, blocks: 1, tokens: 1, width, projectorHidden: 8, batchSize: items, epochs: 3 }
const still = { dropoutFirst: 0, dropoutBlocks: 0 }

/** The first step of a training with the given mixing, and what it was computed from. */
function firstStep(mixing: TrainingOptions['mixing']) {
  const config = completed({ ...sizes, ...still, mixing, mixShare: 1, mixProbability: 1 })
  const random = new Random(4)
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const parameters = new Parameters()
  const model = createHighLevel(parameters, config, voxelCount)
  parameters.initialise(random)
  const plan = new TrainingPlan(config, items, 1, random)
  const [voxels, embeddings] = [numbers(items * voxelCount), numbers(items * width)]
  const data = { items, repeats: 1, voxelCount, voxels, targets: fixedTargets(embeddings, width) }
  const step = plan.at(0)
  const rows = voxelBatch(data, step)
  const brain = normaliseRows(model.brain.forward(tf.tensor2d(rows, [items, voxelCount])).projected!)
  const targets = data.targets.batch(step.items, 0)
  const { nce } = new Trainer(model, parameters, plan, config, random).step(data)
  parameters.dispose()
  return { step, rows, data, brain, targets, nce, temperature: config.mixTemperature }
}

describe('how the first phase mixes', () => {
  it('mixco: voxels are mixed, and the shares are the labels of the contrast', () => {
    const { step, rows, data, brain, targets, nce, temperature } = firstStep('mixco')
    expect(rows).toEqual(mixVoxels(voxelBatch(data, { ...step, mixing: undefined }), step.mixing!))
    const expected = biMixCo(brain, normaliseRows(targets), temperature, step.mixing).dataSync()[0]
    expect(nce).toBeCloseTo(expected, 3)
  })

  it('mixup: targets are mixed as the voxels are, and each is the label of its own row', () => {
    const { step, rows, data, brain, targets, nce, temperature } = firstStep('mixup')
    expect(rows).toEqual(mixVoxels(voxelBatch(data, { ...step, mixing: undefined }), step.mixing!))
    const mixed = mixRows(targets, step.mixing!)
    const own = mixVoxels(targets.dataSync<'float32'>(), step.mixing!)
    mixed.dataSync().forEach((value, i) => expect(value).toBeCloseTo(own[i], 5))
    const expected = biMixCo(brain, normaliseRows(mixed), temperature).dataSync()[0]
    expect(nce).toBeCloseTo(expected, 3)
  })

  it('none: neither', () => {
    const { step, rows, data, brain, targets, nce, temperature } = firstStep('none')
    expect(step.mixing).toBeUndefined()
    expect(rows).toEqual(voxelBatch(data, { ...step, mixing: undefined }))
    expect(nce).toBeCloseTo(biMixCo(brain, normaliseRows(targets), temperature).dataSync()[0], 3)
  })
})
