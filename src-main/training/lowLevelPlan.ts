import type { Random } from '../nn/random.ts'
import { oneCycle } from '../nn/schedule.ts'
import { stepsPerEpoch } from './plan.ts'

/** What a low-level training can be told; the published values are `lowLevelDefaults`. */
export interface LowLevelOptions {
  /** Examples B per step. */
  batchSize: number
  epochs: number
  /** Largest learning rate of the one-cycle schedule. */
  maxLr: number
  /** Share of the steps in which the learning rate rises. */
  warmUp: number
  /** Decoupled weight decay of AdamW; biases are exempt. */
  weightDecay: number
  /** Weight of the contrastive term against L1 / scalingFactor. */
  contrastWeight: number
  /** Temperature τ of the contrastive term. */
  contrastTemperature: number
  /** What the autoencoder's latents are multiplied by to be targets. */
  scalingFactor: number
}

export const lowLevelDefaults: LowLevelOptions = {
  batchSize: 8,
  epochs: 120,
  maxLr: 5e-4,
  warmUp: 2 / 120,
  weightDecay: 0.01,
  contrastWeight: 0.1,
  contrastTemperature: 0.075,
  scalingFactor: 0.18215,
}

/** Everything that is decided about one low-level step before it runs. */
export interface LowLevelStepPlan {
  epoch: number
  stepInEpoch: number
  /** Indices of the examples, (B). */
  items: Int32Array
  /** How an example's repeats are combined to its voxels, (B, repeats); each row sums to 1. */
  weights: Float32Array
  lr: number
  beta1: number
}

/**
 * `voxel_select` of the official utils.py, (B, repeats): one coin per batch takes a random convex combination of the repeats of each example
 * (½), their mean (0.3), or a random one of them (0.2).
 */
export function drawRepeats(random: Random, size: number, repeats: number): Float32Array {
  const coin = random.uniform()
  const weights = new Float32Array(size * repeats)
  if (coin > 0.5 && coin <= 0.8) return weights.fill(1 / repeats)
  for (let row = 0; row < size; row++) {
    const own = weights.subarray(row * repeats, (row + 1) * repeats)
    if (coin > 0.8) own[random.int(repeats)] = 1
    else {
      const drawn = Array.from(own, () => random.uniform())
      const sum = drawn.reduce((a, b) => a + b, 0)
      own.set(drawn.map((weight) => weight / sum))
    }
  }
  return weights
}

/** The course of a low-level training; every step's draws come from streams named by epoch and step, as in `TrainingPlan`. */
export class LowLevelPlan {
  readonly stepsPerEpoch: number
  readonly totalSteps: number
  private readonly batchSize: number
  private readonly itemCount: number
  private readonly repeats: number
  private readonly random: Random
  private readonly schedule: ReturnType<typeof oneCycle>
  private order: { epoch: number; items: Int32Array } | undefined

  constructor(options: LowLevelOptions, itemCount: number, repeats: number, random: Random) {
    const { batchSize, epochs, maxLr, warmUp } = options
    this.batchSize = batchSize
    this.itemCount = itemCount
    this.repeats = repeats
    this.random = random
    this.stepsPerEpoch = stepsPerEpoch(itemCount, batchSize)
    this.totalSteps = epochs * this.stepsPerEpoch
    this.schedule = oneCycle({ maxLr, totalSteps: this.totalSteps, pctStart: warmUp })
  }

  at(step: number): LowLevelStepPlan {
    const epoch = Math.floor(step / this.stepsPerEpoch)
    const stepInEpoch = step % this.stepsPerEpoch
    if (this.order?.epoch !== epoch)
      this.order = { epoch, items: this.random.split('order', epoch).permutation(this.itemCount) }
    const items = this.order.items.slice(stepInEpoch * this.batchSize, (stepInEpoch + 1) * this.batchSize)
    const weights = drawRepeats(this.random.split('repeats', step), items.length, this.repeats)
    return { epoch, stepInEpoch, items, weights, ...this.schedule(step) }
  }
}
