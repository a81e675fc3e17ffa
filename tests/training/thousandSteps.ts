/** Runs 1,000 training steps of a small network in this process and prints what it holds every 200 steps, one JSON line each. */
import * as tf from '@tensorflow/tfjs-core'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { completed, highLevelStep } from './smallTraining.ts'

/** What a process holds after so many steps. */
export interface Held {
  steps: number
  tensors: number
  /** Resident memory in MB. */
  resident: number
}

// Both phases of the loss begin within the first 200 steps.
const sizes = { hidden: 32, projectorHidden: 32, width: 8, blocks: 1, batchSize: 16, epochs: 1000, mixShare: 0.1 }
const prior = { prior: true, priorDepth: 1, priorHeads: 2, priorHeadDim: 4, tokens: 2, batchSize: 4 }

/** Makes a small network; returns its training step. */
const networks: Record<string, () => () => void> = {
  voxel2clip: () => highLevelStep(completed(sizes), 40),
  'voxel2clip with its prior': () => highLevelStep(completed({ ...sizes, ...prior }), 40),
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
