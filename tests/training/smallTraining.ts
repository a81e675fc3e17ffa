import * as tf from '@tensorflow/tfjs-core'
import { LowLevelNetwork } from '../../src-main/models/lowLevelNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { parseTraining, type TrainingConfig, type TrainingOptions } from '../../src-main/training/fields.ts'
import { createHighLevel } from '../../src-main/training/highLevel.ts'
import { LowLevelTrainer } from '../../src-main/training/lowLevel.ts'
import { latentSide, lowLevelOptions, lowLevelSizes } from '../../src-main/training/lowLevelConfig.ts'
import { LowLevelPlan } from '../../src-main/training/lowLevelPlan.ts'
import { TrainingPlan } from '../../src-main/training/plan.ts'
import { fixedTargets } from '../../src-main/training/targets.ts'
import { Trainer } from '../../src-main/training/trainer.ts'

export function completed(options: TrainingOptions): TrainingConfig {
  const parsed = parseTraining(options)
  if (!parsed.success) throw new Error(parsed.issues[0].message)
  return parsed.output
}

/** Makes a high-level decoder and one batch of random examples; returns its training step. */
export function highLevelStep(config: TrainingConfig, voxelCount: number): () => void {
  const { batchSize: items, tokens, width } = config
  const random = new Random(1)
  const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const parameters = new Parameters()
  const model = createHighLevel(parameters, config, voxelCount)
  parameters.initialise(random)
  const trainer = new Trainer(model, parameters, new TrainingPlan(config, items, 1, random), config, random)
  const targets = fixedTargets(normal(items * tokens * width), tokens * width)
  const data = { items, repeats: 1, voxelCount, voxels: normal(items * voxelCount), targets }
  return () => trainer.step(data)
}

/** The same for a low-level decoder; the teacher's tokens are random. */
export function lowLevelStep(config: TrainingConfig, voxelCount: number): () => void {
  const { batchSize: items, mapSide, features } = config
  const random = new Random(1)
  const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const parameters = new Parameters()
  const sizes = lowLevelSizes(config, voxelCount)
  const model = new LowLevelNetwork(parameters, sizes)
  parameters.initialise(random)
  const options = lowLevelOptions(config, 0.18215)
  const trainer = new LowLevelTrainer(model, parameters, new LowLevelPlan(options, items, 3, random), options, random)
  const latent = latentSide(sizes) ** 2 * sizes.latent
  const tokens = () => tf.tensor2d(normal(items * mapSide ** 2 * features), [items * mapSide ** 2, features])
  const data = {
    ...{ items, repeats: 3, voxelCount, voxels: normal(items * 3 * voxelCount) },
    latents: fixedTargets(normal(items * latent), latent),
    contrast: config.contrast ? { batch: () => ({ clean: tokens(), augmented: tokens() }) } : undefined,
  }
  return () => trainer.step(data)
}
