/**
 * Runs 1,000 training steps of a small network in this process and prints what it holds every 200 steps, one JSON line each:
 * `node --expose-gc --max-semi-space-size=1 thousandSteps.ts NAME` (V8's young generation would otherwise grow for a while).
 */
import * as tf from '@tensorflow/tfjs-core'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { createHighLevel } from '../../src-main/training/highLevel.ts'
import { TrainingPlan } from '../../src-main/training/plan.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { fixedTargets } from '../../src-main/training/targets.ts'
import { Trainer } from '../../src-main/training/trainer.ts'

/** What a process holds after so many steps. */
export interface Held {
  steps: number
  tensors: number
  /** Resident memory in MB. */
  resident: number
}

/** Makes a small network; returns its training step. */
const networks: Record<string, () => () => void> = {
  voxel2clip() {
    const [items, voxelCount] = [16, 40]
    const random = new Random(1)
    const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
    const sizes = { hidden: '32', projectorHidden: '32', width: '8', blocks: '1', batchSize: '16', epochs: '1000' }
    const config = presetConfig('small-study', sizes)
    const parameters = new Parameters()
    const model = createHighLevel(parameters, config, voxelCount)
    parameters.initialise(random)
    const trainer = new Trainer(model, parameters, new TrainingPlan(config, items, 1, random), config, random)
    const targets = fixedTargets(normal(items * config.width), config.width)
    const data = { items, repeats: 1, voxelCount, voxels: normal(items * voxelCount), targets }
    return () => trainer.step(data)
  },
}

const [name] = process.argv.slice(2)
await loadBackend()
const step = networks[name]()
for (let steps = 1; steps <= 1000; steps++) {
  step()
  if (steps % 200) continue
  globalThis.gc!()
  const held: Held = { steps, tensors: tf.memory().numTensors, resident: process.memoryUsage().rss / 2 ** 20 }
  console.log(JSON.stringify(held))
}
