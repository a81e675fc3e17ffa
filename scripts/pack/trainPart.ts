/** A part's training: steps of AdamW with one cycle of the learning rate, a checkpoint every minute, the same weights wherever it was stopped. */
import * as tf from '@tensorflow/tfjs-core'
import { existsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { AdamW } from '../../src-main/nn/adamw.ts'
import type { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { oneCycle } from '../../src-main/nn/schedule.ts'
import { loadTraining, saveTraining } from '../../src-main/nn/stateFile.ts'
import { decays } from '../../src-main/training/trainer.ts'

/** The loss of a step, and terms of it that are printed beside. */
export type Terms = { loss: tf.Scalar } & Record<string, tf.Scalar>

export interface PartTraining {
  parameters: Parameters
  steps: number
  maxLr: number
  weightDecay: number
  /** Gives the parameters what training begins with; random numbers otherwise. */
  begin?(): void
  /** On the tape of the anchor; everything random in it comes from `random`, which is the step's own. */
  terms(random: Random, anchor: tf.Scalar): Terms
}

/** A part of the demo pack. */
export interface PackPart extends PartTraining {
  /** Writes it, trained, into the pack. */
  write(pack: string): void
}

export interface TrainOptions {
  /** Path of the checkpoint, which is read where there is one. */
  checkpoint: string
  seed: number
  /** Told about now and then: means of the terms since the last time. */
  report(steps: number, secondsLeft: number, terms: Record<string, number>): void
  /** Between checkpoints and between reports. */
  secondsBetween: { checkpoints: number; reports: number }
  signal?: AbortSignal
}

/** Trains to the end, or goes on from the checkpoint; an aborted training leaves one behind and throws. */
export async function trainPart(part: PartTraining, options: TrainOptions): Promise<void> {
  const { parameters, steps: totalSteps, maxLr, weightDecay } = part
  const { checkpoint, seed, report, secondsBetween, signal } = options
  const optimizer = new AdamW(parameters, { beta2: 0.99, eps: 1e-8, weightDecay, decays })
  const random = new Random(seed)
  if (existsSync(checkpoint)) optimizer.steps = (loadTraining(checkpoint, parameters) as { steps: number }).steps
  else if (part.begin) part.begin()
  else parameters.initialise(random.split('initial'))
  const save = () => saveTraining(checkpoint, parameters, { steps: optimizer.steps })
  const schedule = oneCycle({ maxLr, totalSteps, pctStart: 0.05 })

  let [saved, told] = [performance.now(), { at: performance.now(), steps: optimizer.steps }]
  const sums: Record<string, number> = {}
  while (optimizer.steps < totalSteps) {
    const number = optimizer.steps
    const { lr, beta1 } = schedule(number)
    tf.tidy(() => {
      optimizer.begin(lr, beta1)
      tf.grad((anchor: tf.Tensor) => {
        const terms = part.terms(random.split('step', number), anchor as tf.Scalar)
        for (const [name, term] of Object.entries(terms)) sums[name] = (sums[name] ?? 0) + term.dataSync()[0]
        if (!Number.isFinite(sums.loss)) throw new Error(`step ${number}: the loss is not finite`)
        return terms.loss
      })(tf.scalar(0))
      optimizer.end()
    })
    const now = performance.now()
    const isLast = optimizer.steps === totalSteps
    if (isLast || now - told.at > 1000 * secondsBetween.reports) {
      const counted = optimizer.steps - told.steps
      const left = ((totalSteps - optimizer.steps) * (now - told.at)) / counted / 1000
      report(
        optimizer.steps,
        left,
        Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / counted])),
      )
      for (const name of Object.keys(sums)) sums[name] = 0
      told = { at: now, steps: optimizer.steps }
    }
    if (isLast || signal?.aborted || now - saved > 1000 * secondsBetween.checkpoints) {
      save()
      saved = performance.now()
    }
    signal?.throwIfAborted()
    await setImmediate() // lets an abort in
  }
}
