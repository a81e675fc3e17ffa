import * as tf from '@tensorflow/tfjs-core'
import { setImmediate } from 'node:timers/promises'
import { MindEyeError } from '../base/errors.ts'
import { AdamW } from '../nn/adamw.ts'
import type { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'
import type { BatchSnapshots } from './batchSnapshot.ts'
import type { TrainingConfig } from './fields.ts'
import type { HighLevelModel } from './highLevel.ts'
import type { ContrastWatch } from './losses.ts'
import { biMixCo, meanSquaredError, mixRows, mixVoxels, normaliseRows, softClip } from './losses.ts'
import type { Plan, StepPlan } from './plan.ts'
import type { Targets } from './targets.ts'

/** What a network learns from: z-scored voxels (items, repeats, V) and the embedding of each item's image. */
export interface TrainingData {
  items: number
  repeats: number
  voxelCount: number
  voxels: Float32Array
  targets: Targets
  /** Pictures in [0, 1], for a model with a pixel network. */
  pictures?: Targets
}

export interface StepLosses {
  loss: number
  /** The contrastive term. */
  nce: number
  /** Mean squared error of the backbone against the target. */
  mse: number
  /** The diffusion prior's, before its weight. */
  prior?: number
  /** Mean squared error of the pixel network's picture. */
  pixels?: number
}

interface HighLevelBatch {
  voxels: tf.Tensor2D
  targets: tf.Tensor2D
  pictures?: tf.Tensor2D
  anchor: tf.Scalar
}

/** The decay rule of the original: by name, so that norms decay and everything called bias does not. */
export const decays = (name: string): boolean => !name.includes('bias')

/** Voxels (B, V) of a step, mixed if it says so. */
export function voxelBatch(
  { voxels, voxelCount, repeats }: Pick<TrainingData, 'voxels' | 'voxelCount' | 'repeats'>,
  { items, repeat, mixing }: Pick<StepPlan, 'items' | 'repeat' | 'mixing'>,
): Float32Array {
  const batch = new Float32Array(items.length * voxelCount)
  for (const [row, item] of items.entries()) {
    const start = (item * repeats + repeat) * voxelCount
    batch.set(voxels.subarray(start, start + voxelCount), row * voxelCount)
  }
  return mixing ? mixVoxels(batch, mixing) : batch
}

/** Trains the high-level decoder one step at a time; a step reads nothing but the plan, the data and the parameters. */
export class Trainer {
  readonly optimizer: AdamW
  private readonly model: HighLevelModel
  private readonly plan: Plan
  private readonly config: TrainingConfig
  private readonly random: Random

  constructor(model: HighLevelModel, parameters: Parameters, plan: Plan, config: TrainingConfig, random: Random) {
    const { weightDecay } = config
    this.model = model
    this.plan = plan
    this.config = config
    this.random = random
    this.optimizer = new AdamW(parameters, { beta2: 0.999, eps: 1e-8, weightDecay, decays })
  }

  /**
   * One forward and backward pass with the update inside; `watch` sees the contrast on its way. Throws before the backward pass when the
   * loss is not finite.
   */
  step(data: TrainingData, watch?: ContrastWatch): StepLosses & StepPlan {
    const number = this.optimizer.steps
    const plan = this.plan.at(number)
    let losses: StepLosses | undefined
    tf.tidy(() => {
      const voxels = tf.tensor2d(voxelBatch(data, plan), [plan.items.length, data.voxelCount])
      const given = data.targets.batch(plan.items, number) // (B, T·D)
      const targets = plan.mixTargets && plan.mixing ? mixRows(given, plan.mixing) : given
      const pictures = this.pictures(data, plan, number)
      this.optimizer.begin(plan.lr, plan.beta1)
      tf.grad((anchor: tf.Tensor) => {
        const batch = { voxels, targets, pictures, anchor: anchor as tf.Scalar }
        const terms = this.losses(batch, plan, number, watch)
        losses = {
          loss: terms.loss.dataSync()[0],
          nce: terms.nce.dataSync()[0],
          mse: terms.mse.dataSync()[0],
          prior: terms.prior?.dataSync()[0],
          pixels: terms.pixels?.dataSync()[0],
        }
        if (!Number.isFinite(losses.loss)) throw diverged(number, losses)
        return terms.loss
      })(tf.scalar(0))
      this.optimizer.end()
    })
    return { ...plan, ...losses! }
  }

  /** Pictures (B, pixels) of a step; mixed voxels are to give the mixture of their pictures. */
  private pictures({ pictures }: TrainingData, { items, mixing }: StepPlan, step: number): tf.Tensor2D | undefined {
    const given = pictures?.batch(items, step)
    return given && mixing ? mixRows(given, mixing) : given
  }

  /** The loss of a batch and its terms (MindEye §3.2–3.3). */
  private losses(
    { voxels, targets, pictures, anchor }: HighLevelBatch,
    plan: StepPlan,
    step: number,
    watch?: ContrastWatch,
  ) {
    const { regressionWeight, priorWeight } = this.config
    const random = this.random.split('dropout', step)
    const { backbone, projected } = this.model.brain.forward(voxels, { anchor, random })
    const [brain, image] = [normaliseRows(projected ?? backbone), normaliseRows(targets)]
    const nce =
      plan.phase === 'bimixco'
        ? biMixCo(brain, image, plan.temperature, plan.mixTargets ? undefined : plan.mixing, watch)
        : softClip(brain, image, plan.temperature, watch)
    const mse = meanSquaredError(backbone, targets)
    const contrast = regressionWeight ? tf.add(nce, tf.mul(mse, regressionWeight)) : nce
    const pixels = pictures && this.pixelError(voxels, pictures, anchor, random.split('low'))
    const loss = pixels ? tf.add(contrast, pixels) : contrast
    if (!this.model.prior) return { loss, nce, mse, pixels }
    const { tokens, width } = this.model.brain.config
    const shape: [number, number, number] = [plan.items.length, tokens, width]
    const { loss: prior } = this.model.prior.loss(
      tf.reshape(backbone, shape),
      tf.reshape(targets, shape),
      this.plan.prior(step, shape),
      anchor,
    )
    return { loss: tf.add(loss, tf.mul(prior, priorWeight)), nce, mse, pixels, prior }
  }

  /** The pixel network shares no parameter with the others, so that its error in their sum changes nothing for them. */
  private pixelError(voxels: tf.Tensor2D, pictures: tf.Tensor2D, anchor: tf.Scalar, random: Random): tf.Scalar {
    const { backbone: logits } = this.model.pixels!.forward(voxels, { anchor, random })
    return meanSquaredError(tf.sigmoid(logits), pictures)
  }

  /** Steps until the plan's end; `each` runs after every step and may stop by throwing. */
  async run(
    data: TrainingData,
    each: (step: StepLosses & StepPlan) => void,
    snapshots?: BatchSnapshots,
  ): Promise<void> {
    while (this.optimizer.steps < this.plan.totalSteps) {
      const step = this.step(data, snapshots?.watch())
      snapshots?.save(this.optimizer.steps - 1, step)
      each(step)
      await setImmediate() // lets an abort in
    }
  }
}

function diverged(step: number, losses: StepLosses): MindEyeError {
  return new MindEyeError({
    kind: 'engine',
    where: `step ${step}`,
    expected: 'a finite loss',
    found: (['nce', 'mse', 'prior', 'pixels'] as const)
      .flatMap((term) => (losses[term] === undefined ? [] : [`${term} ${losses[term]}`]))
      .join(', '),
    fix: 'Lower the learning rate with --set maxLr=…, or check the voxels for extreme values with `mindeye inspect`.',
  })
}
