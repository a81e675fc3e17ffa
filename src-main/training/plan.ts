import { cosineAnneal, oneCycle } from '../nn/schedule.ts'
import type { Random } from '../nn/random.ts'
import type { PriorDraws } from './diffusionPrior.ts'
import { drawPrior } from './diffusionPrior.ts'
import type { TrainingConfig } from './fields.ts'
import type { Mixing } from './losses.ts'

/** Everything that is decided about one step before it runs. */
export interface StepPlan {
  epoch: number
  stepInEpoch: number
  /** Indices of the examples, (B). */
  items: Int32Array
  /** Which repeat of each example is shown: the same for the whole batch. */
  repeat: number
  /** Absent when voxels stay as they are. */
  mixing?: Mixing
  /** Whether targets are mixed as the voxels are (mixup) instead of being the labels of a mixed contrast (MixCo). */
  mixTargets?: boolean
  phase: 'bimixco' | 'softclip'
  temperature: number
  lr: number
  beta1: number
}

/** The course of a training as the trainer follows it. */
export interface Plan {
  readonly totalSteps: number
  at(step: number): StepPlan
  /** What the prior draws at a step, for embeddings of the given shape (B, T, D). */
  prior(step: number, shape: readonly [number, number, number]): PriorDraws
}

export type PlanOptions = Pick<
  TrainingConfig,
  | 'batchSize'
  | 'epochs'
  | 'maxLr'
  | 'warmUp'
  | 'mixing'
  | 'mixShare'
  | 'mixBeta'
  | 'mixProbability'
  | 'mixTemperature'
  | 'softTemperatureStart'
  | 'softTemperatureEnd'
  | 'conditionDrop'
>

/** Number of leading epochs that train with BiMixCo. */
export const mixingEpochs = ({ epochs, mixShare }: Pick<PlanOptions, 'epochs' | 'mixShare'>): number =>
  Math.trunc(mixShare * epochs)

/** An incomplete last batch is dropped, as in the original; a study smaller than a batch is one batch. */
export const stepsPerEpoch = (items: number, batchSize: number): number => Math.max(1, Math.floor(items / batchSize))

/** MixCo's draws for a batch: a permutation, and β ~ Beta(a, a) where a coin says so, else 1 (§3.3). */
function drawMixing(random: Random, size: number, beta: number, probability: number): Mixing {
  const permutation = random.permutation(size)
  const betas = Float32Array.from({ length: size }, () => random.beta(beta, beta))
  for (let i = 0; i < size; i++) if (random.uniform() > probability) betas[i] = 1
  return { permutation, betas }
}

/**
 * The whole course of a training, step by step. Every step's draws come from streams named by epoch and step, so that a
 * resumed run needs only the number of the step.
 */
export class TrainingPlan implements Plan {
  readonly stepsPerEpoch: number
  readonly totalSteps: number
  private readonly options: PlanOptions
  private readonly itemCount: number
  private readonly repeats: number
  private readonly random: Random
  private readonly schedule: ReturnType<typeof oneCycle>
  private readonly softTemperatures: number[]
  private order: { epoch: number; items: Int32Array } | undefined

  constructor(options: PlanOptions, itemCount: number, repeats: number, random: Random) {
    const { batchSize, epochs, maxLr, warmUp } = options
    this.options = options
    this.itemCount = itemCount
    this.repeats = repeats
    this.random = random
    this.stepsPerEpoch = stepsPerEpoch(itemCount, batchSize)
    this.totalSteps = epochs * this.stepsPerEpoch
    this.schedule = oneCycle({ maxLr, totalSteps: this.totalSteps, pctStart: warmUp })
    const { softTemperatureStart, softTemperatureEnd } = options
    this.softTemperatures = cosineAnneal(softTemperatureStart, softTemperatureEnd, epochs - mixingEpochs(options))
  }

  at(step: number): StepPlan {
    const { batchSize, mixing, mixBeta, mixProbability, mixTemperature } = this.options
    const epoch = Math.floor(step / this.stepsPerEpoch)
    const stepInEpoch = step % this.stepsPerEpoch
    if (this.order?.epoch !== epoch)
      this.order = { epoch, items: this.random.split('order', epoch).permutation(this.itemCount) }
    const items = this.order.items.slice(stepInEpoch * batchSize, (stepInEpoch + 1) * batchSize)
    const common = { epoch, stepInEpoch, items, repeat: stepInEpoch % this.repeats, ...this.schedule(step) }
    const soft = epoch - mixingEpochs(this.options)
    if (soft >= 0) return { ...common, phase: 'softclip', temperature: this.softTemperatures[soft] }
    return {
      ...common,
      phase: 'bimixco',
      temperature: mixTemperature,
      mixing:
        mixing === 'none'
          ? undefined
          : drawMixing(this.random.split('mixing', step), items.length, mixBeta, mixProbability),
      mixTargets: mixing === 'mixup',
    }
  }

  prior(step: number, shape: readonly [number, number, number]): PriorDraws {
    return drawPrior(this.random.split('prior', step), shape, this.options.conditionDrop)
  }
}
