import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import type { HighLevelModel } from '../../src-main/training/highLevel.ts'
import { createHighLevel, createPixelNetwork } from '../../src-main/training/highLevel.ts'
import { TrainingPlan } from '../../src-main/training/plan.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { fixedTargets } from '../../src-main/training/targets.ts'
import { StudyEncoder } from '../../src-main/training/studyEncoder.ts'
import { Trainer } from '../../src-main/training/trainer.ts'
import { figures, quietly } from '../subjects/support.ts'

beforeAll(() => loadBackend())

const config = presetConfig('small-study', {
  hidden: '32',
  projectorHidden: '32',
  width: '8',
  epochs: '60',
  dropoutFirst: '0',
  dropoutBlocks: '0',
})
const [items, voxelCount] = [64, 40]

/** With `pixels`, a pixel network is trained beside the high-level one. */
function setUp(pixels = 0) {
  const random = new Random(1)
  const parameters = new Parameters()
  const model: HighLevelModel = createHighLevel(parameters, config, voxelCount)
  if (pixels) model.pixels = createPixelNetwork(parameters, config, voxelCount, pixels)
  parameters.initialise(random)
  const trainer = new Trainer(model, parameters, new TrainingPlan(config, items, 1, random), config, random)
  const targets = Float32Array.from({ length: items * config.width }, () => random.normal())
  // Voxels that are a linear image of the targets with some noise, so that there is something to learn.
  const mix = Float32Array.from({ length: config.width * voxelCount }, () => random.normal())
  const voxels = Float32Array.from({ length: items * voxelCount }, (_, at) => {
    const [item, voxel] = [Math.floor(at / voxelCount), at % voxelCount]
    let sum = random.normal()
    for (let d = 0; d < config.width; d++) sum += targets[item * config.width + d] * mix[d * voxelCount + voxel]
    return sum / 3
  })
  // Every pixel is a smooth step of one number of the target.
  const pictures = Float32Array.from({ length: items * pixels }, (_, at) => {
    const target = targets[Math.floor(at / pixels) * config.width + (at % config.width)]
    return 1 / (1 + Math.exp(-4 * target))
  })
  return {
    parameters,
    trainer,
    data: {
      ...{ items, repeats: 1, voxelCount, voxels, targets: fixedTargets(targets, config.width) },
      ...(pixels && { pictures: fixedTargets(pictures, pixels) }),
    },
  }
}

describe('Trainer', () => {
  it('learns, and leaves no tensors behind from step to step', () => {
    const { parameters, trainer, data } = setUp()
    const first = trainer.step(data)
    const tensors = tf.memory().numTensors
    const mse = [first.mse]
    for (let i = 1; i < 120; i++) mse.push(trainer.step(data).mse)
    expect(tf.memory().numTensors).toBe(tensors)
    expect(mse.at(-1)!).toBeLessThan(0.6 * mse[0])
    parameters.dispose()
  })

  it('trains the pixel network beside the other, which does not notice', () => {
    const alone = setUp()
    const both = setUp(10)
    const pixels: number[] = []
    for (let i = 0; i < 40; i++) {
      const plain = alone.trainer.step(alone.data)
      const step = both.trainer.step(both.data)
      expect([step.nce, step.mse]).toEqual([plain.nce, plain.mse])
      expect(step.loss).toBeCloseTo(plain.loss + step.pixels!, 4)
      expect(plain.pixels).toBeUndefined()
      pixels.push(step.pixels!)
    }
    const last = (of: Parameters, name: string) => [...of.get(name).download('value')][0]
    expect(last(both.parameters, 'lin1.weight')).toEqual(last(alone.parameters, 'lin1.weight'))
    expect(pixels.at(-1)!).toBeLessThan(0.8 * pixels[0])
    both.parameters.dispose()
    alone.parameters.dispose()
  })

  it('stops before the backward pass when the loss is not finite', () => {
    const { parameters, trainer, data } = setUp()
    data.voxels.fill(NaN)
    const before = [...parameters.get('lin1.bias').download('value')][0]
    expect(() => trainer.step(data)).toThrow('step 0: expected a finite loss')
    expect([...parameters.get('lin1.bias').download('value')][0]).toEqual(before)
    parameters.dispose()
  })
})

describe('StudyEncoder', () => {
  it('fits without leaving tensors behind, and its latents tell the pictures apart', async () => {
    const pictures = figures(12, 12)
    const data = Float32Array.from(pictures.flat(), (x) => x / 255)
    const images = { count: 12, side: 12, channels: 1, data }
    const before = tf.memory().numTensors
    const encoder = new StudyEncoder(12, 1, 8)
    await encoder.fit(images, presetConfig('small-study', { encoderSteps: '150' }), new Random(2), quietly())
    const latents = encoder.encode(images)
    encoder.dispose()
    // What one optimizer keeps of its last step is shared by all of them.
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(5)
    const row = (i: number) => latents.subarray(i * 8, (i + 1) * 8)
    const cosine = (a: Float32Array, b: Float32Array) => {
      const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i], 0)
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
    }
    const between: number[] = []
    for (let i = 0; i < 12; i++) for (let j = 0; j < i; j++) between.push(cosine(row(i), row(j)))
    // A collapsed encoder gives nearly the same direction to all.
    expect(between.reduce((a, b) => a + b, 0) / between.length).toBeLessThan(0.5)
  })
})
