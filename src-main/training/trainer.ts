import * as tf from '@tensorflow/tfjs-core'
import { setImmediate } from 'node:timers/promises'
import { MindEyeError } from '../base/errors.ts'
import type { BrainNetwork } from '../models/brainNetwork.ts'
import { AdamW } from '../nn/adamw.ts'
import type { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'
import type { TrainingConfig } from './fields.ts'
import { biMixCo, meanSquaredError, mixVoxels, normaliseRows, softClip } from './losses.ts'
import type { StepPlan, TrainingPlan } from './plan.ts'

/** What a network learns from: z-scored voxels (items, repeats, V) and the embedding of each item's image (items, N). */
export interface TrainingData {
  items: number
  repeats: number
  voxelCount: number
  voxels: Float32Array
  targets: Float32Array
}

export interface StepLosses {
  loss: number
  /** The contrastive term. */
  nce: number
  /** Mean squared error of the backbone against the target. */
  mse: number
}

/** The decay rule of the original: by name, so that norms decay and everything called bias does not. */
export const decays = (name: string): boolean => !name.includes('bias')

/** Voxels (B, V) of a step, mixed if it says so, and targets (B, N); targets are never mixed. */
export function batchOf(
  data: TrainingData,
  plan: Pick<StepPlan, 'items' | 'repeat' | 'mixing'>,
): { voxels: Float32Array; targets: Float32Array } {
  const { voxelCount, repeats } = data
  const width = data.targets.length / data.items
  const voxels = new Float32Array(plan.items.length * voxelCount)
  const targets = new Float32Array(plan.items.length * width)
  for (const [row, item] of plan.items.entries()) {
    const start = (item * repeats + plan.repeat) * voxelCount
    voxels.set(data.voxels.subarray(start, start + voxelCount), row * voxelCount)
    targets.set(data.targets.subarray(item * width, (item + 1) * width), row * width)
  }
  return { voxels: plan.mixing ? mixVoxels(voxels, plan.mixing) : voxels, targets }
}

/** Trains voxel2clip one step at a time; a step reads nothing but the plan, the data and the parameters. */
export class Trainer {
  readonly optimizer: AdamW
  private readonly model: BrainNetwork
  private readonly plan: TrainingPlan
  private readonly config: TrainingConfig
  private readonly random: Random

  constructor(model: BrainNetwork, parameters: Parameters, plan: TrainingPlan, config: TrainingConfig, random: Random) {
    const { weightDecay } = config
    this.model = model
    this.plan = plan
    this.config = config
    this.random = random
    this.optimizer = new AdamW(parameters, { beta2: 0.999, eps: 1e-8, weightDecay, decays })
  }

  /** One forward and backward pass with the update inside. Throws before the backward pass when the loss is not finite. */
  step(data: TrainingData): StepLosses & StepPlan {
    const number = this.optimizer.steps
    const plan = this.plan.at(number)
    const batch = batchOf(data, plan)
    const size = plan.items.length
    let losses: StepLosses | undefined
    tf.tidy(() => {
      const voxels = tf.tensor2d(batch.voxels, [size, data.voxelCount])
      const targets = tf.tensor2d(batch.targets, [size, batch.targets.length / size])
      const image = normaliseRows(targets)
      this.optimizer.begin(plan.lr, plan.beta1)
      tf.grad((anchor: tf.Tensor) => {
        const dropout = this.random.split('dropout', number)
        const { backbone, projected } = this.model.forward(voxels, { anchor: anchor as tf.Scalar, random: dropout })
        const brain = normaliseRows(projected!)
        const nce =
          plan.phase === 'bimixco'
            ? biMixCo(brain, image, plan.temperature, plan.mixing)
            : softClip(brain, image, plan.temperature)
        const mse = meanSquaredError(backbone, targets)
        const loss = tf.add(nce, tf.mul(mse, this.config.regressionWeight))
        losses = { loss: loss.dataSync()[0], nce: nce.dataSync()[0], mse: mse.dataSync()[0] }
        if (!Number.isFinite(losses.loss)) throw diverged(number, losses)
        return loss
      })(tf.scalar(0))
      this.optimizer.end()
    })
    return { ...plan, ...losses! }
  }

  /** Steps until the plan's end; `each` runs after every step and may stop by throwing. */
  async run(data: TrainingData, each: (step: StepLosses & StepPlan) => void): Promise<void> {
    while (this.optimizer.steps < this.plan.totalSteps) {
      each(this.step(data))
      await setImmediate() // lets an abort in
    }
  }
}

function diverged(step: number, losses: StepLosses): MindEyeError {
  return new MindEyeError({
    kind: 'engine',
    where: `step ${step}`,
    expected: 'a finite loss',
    found: `nce ${losses.nce}, mse ${losses.mse}`,
    fix: 'Lower the learning rate with --set maxLr=…, or check the voxels for extreme values with `mindeye inspect`.',
  })
}
