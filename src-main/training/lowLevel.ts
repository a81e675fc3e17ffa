import * as tf from '@tensorflow/tfjs-core'
import { setImmediate } from 'node:timers/promises'
import { MindEyeError } from '../base/errors.ts'
import type { AutoencoderKl } from '../models/autoencoderKl.ts'
import type { LowLevelNetwork } from '../models/lowLevelNetwork.ts'
import { AdamW } from '../nn/adamw.ts'
import type { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'
import { augmentContrastView, drawContrastView } from './augmentation.ts'
import type { BatchSnapshots } from './batchSnapshot.ts'
import type { LowLevelOptions, LowLevelPlan, LowLevelStepPlan } from './lowLevelPlan.ts'
import type { ContrastWatch } from './losses.ts'
import { meanAbsoluteError, normaliseRows, softContrast } from './losses.ts'
import type { Targets } from './targets.ts'
import { decays } from './trainer.ts'

/** A teacher's tokens of a batch's images and of the same images augmented, (B·P, F) each, position by position. */
export interface ContrastTokens {
  /** As step `step` sees the examples. The caller disposes both. */
  batch(items: Int32Array, step: number): Record<'clean' | 'augmented', tf.Tensor2D>
}

/** What the low-level network learns from. */
export interface LowLevelData {
  items: number
  repeats: number
  voxelCount: number
  /** z-scored, (items, repeats, V). */
  voxels: Float32Array
  /** Latents of each example's image times the scaling factor, (B, H·W·L) with channels last; see `latentTargets`. */
  latents: Targets
  /** For a network with the contrastive head; see `contrastTokens`. */
  contrast?: ContrastTokens
}

export interface LowLevelLosses {
  loss: number
  /** Mean absolute error of the latents, before the division by the scaling factor. */
  l1: number
  /** The contrastive term before its weight, where there is one. */
  contrast?: number
}

/** The target of images (B, H, W, 3) in [0, 1]: the most likely latent times the scaling factor, (B, h, w, L). */
export const latentTargets = (autoencoder: AutoencoderKl, images: tf.Tensor4D): tf.Tensor4D =>
  tf.tidy(() => {
    const latents = autoencoder.mode(tf.sub(tf.mul(images, 2), 1))
    return tf.mul(latents, autoencoder.config.scalingFactor)
  })

/** Tokens (B, …, F) of a teacher for images (B, H, W, 3) in [0, 1], with a new augmented view at every step. */
export const contrastTokens = (
  teacher: (images: tf.Tensor4D) => tf.Tensor,
  readImages: (items: Int32Array) => tf.Tensor4D,
  augmentation: Random,
): ContrastTokens => ({
  batch: (items, step) =>
    tf.tidy(() => {
      const images = readImages(items)
      const [batch, height, width] = images.shape
      const draws = drawContrastView(augmentation.split(step), [batch, height, width])
      const rows = (tokens: tf.Tensor) => tf.reshape(tokens, [-1, tokens.shape[tokens.shape.length - 1]]) as tf.Tensor2D
      return { clean: rows(teacher(images)), augmented: rows(teacher(augmentContrastView(images, draws))) }
    }),
})

/** Voxels (B, V) of examples, their repeats combined with weights (B, repeats). */
export function combineRepeats(
  { voxels, voxelCount, repeats }: Pick<LowLevelData, 'voxels' | 'voxelCount' | 'repeats'>,
  { items, weights }: Pick<LowLevelStepPlan, 'items' | 'weights'>,
): Float32Array {
  const batch = new Float32Array(items.length * voxelCount)
  for (const [row, item] of items.entries())
    for (let repeat = 0; repeat < repeats; repeat++) {
      const weight = weights[row * repeats + repeat]
      if (weight === 0) continue
      const start = (item * repeats + repeat) * voxelCount
      for (let v = 0; v < voxelCount; v++) batch[row * voxelCount + v] += weight * voxels[start + v]
    }
  return batch
}

interface LowLevelBatch {
  voxels: tf.Tensor2D
  target: tf.Tensor2D
  tokens?: Record<'clean' | 'augmented', tf.Tensor2D>
  anchor: tf.Scalar
}

/** Trains the low-level network one step at a time; a step reads nothing but the plan, the data and the parameters. */
export class LowLevelTrainer {
  readonly optimizer: AdamW
  private readonly model: LowLevelNetwork
  private readonly plan: LowLevelPlan
  private readonly options: LowLevelOptions
  private readonly random: Random

  constructor(
    model: LowLevelNetwork,
    parameters: Parameters,
    plan: LowLevelPlan,
    options: LowLevelOptions,
    random: Random,
  ) {
    const { weightDecay } = options
    this.model = model
    this.plan = plan
    this.options = options
    this.random = random
    this.optimizer = new AdamW(parameters, { beta2: 0.999, eps: 1e-8, weightDecay, decays })
  }

  /**
   * One forward and backward pass with the update inside. Throws before the backward pass when the loss is not finite, and when the network
   * has the contrastive head and the data no tokens for it, or the other way round. `watch` sees the contrast of all places.
   */
  step(data: LowLevelData, watch?: ContrastWatch): LowLevelLosses & LowLevelStepPlan {
    if ((data.contrast !== undefined) !== this.model.config.features > 0)
      throw new Error('the contrastive head of the network and the tokens of a teacher go together')
    const number = this.optimizer.steps
    const plan = this.plan.at(number)
    let losses: LowLevelLosses | undefined
    tf.tidy(() => {
      const voxels = tf.tensor2d(combineRepeats(data, plan), [plan.items.length, data.voxelCount])
      const target = data.latents.batch(plan.items, number)
      const tokens = data.contrast?.batch(plan.items, number)
      this.optimizer.begin(plan.lr, plan.beta1)
      tf.grad((anchor: tf.Tensor) => {
        const terms = this.terms({ voxels, target, tokens, anchor: anchor as tf.Scalar }, number, watch)
        losses = {
          loss: terms.loss.dataSync()[0],
          l1: terms.l1.dataSync()[0],
          contrast: terms.contrast?.dataSync()[0],
        }
        if (!Number.isFinite(losses.loss)) throw diverged(number, losses)
        return terms.loss
      })(tf.scalar(0))
      this.optimizer.end()
    })
    return { ...plan, ...losses! }
  }

  /** L1 / scalingFactor + weight · contrast, and its terms. */
  private terms({ voxels, target, tokens, anchor }: LowLevelBatch, step: number, watch?: ContrastWatch) {
    const { contrastWeight, contrastTemperature, scalingFactor } = this.options
    const random = this.random.split('dropout', step)
    const { latent, features } = this.model.forward(voxels, { anchor, random })
    const l1 = meanAbsoluteError(tf.reshape(latent, target.shape), target)
    const regression = tf.div(l1, scalingFactor) as tf.Scalar
    if (!tokens) return { loss: regression, l1 }
    const [teacher, augmented] = [normaliseRows(tokens.clean), normaliseRows(tokens.augmented)]
    const student = normaliseRows(tf.reshape(features!, [-1, this.model.config.features]))
    const contrast = softContrast(student, teacher, augmented, contrastTemperature, watch)
    return { loss: tf.add(regression, tf.mul(contrast, contrastWeight)) as tf.Scalar, l1, contrast }
  }

  /** Steps until the plan's end; `each` runs after every step and may stop by throwing. */
  async run(
    data: LowLevelData,
    each: (step: LowLevelLosses & LowLevelStepPlan) => void,
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

function diverged(step: number, { l1, contrast }: LowLevelLosses): MindEyeError {
  return new MindEyeError({
    kind: 'engine',
    where: `step ${step}`,
    expected: 'a finite loss',
    found: `L1 ${l1}${contrast === undefined ? '' : `, contrast ${contrast}`}`,
    fix: 'Lower the learning rate with --set maxLr=…, or check the voxels for extreme values with `mindeye inspect`.',
  })
}
