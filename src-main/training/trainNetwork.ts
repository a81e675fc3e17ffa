import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import type { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'
import { loadTraining, saveTraining } from '../nn/stateFile.ts'
import type { TrainingConfig } from './fields.ts'
import { checkpoints, foldFiles, pruneCheckpoints } from './foldFiles.ts'
import { MetricsLog } from './metricsLog.ts'
import { SpeedLog } from './speedLog.ts'

/** How long lines of metrics wait for the disk: short enough for a curve that is watched. */
const FLUSH_MS = 500

/** Where a fold's training keeps what it needs to go on. */
export interface TrainedFold {
  folder: string
  runFolder: string
  index: number
  config: TrainingConfig
  random: Random
  /** Receives what went wrong without stopping the run. */
  warnings: string[]
}

/** What a trainer says after a step. */
export interface StepReport {
  epoch: number
  items: Int32Array
  loss: number
  lr: number
  beta1: number
}

/** A trainer with its data, one step at a time. */
export interface Training<S extends StepReport> {
  trainer: { readonly optimizer: { steps: number } }
  plan: { readonly totalSteps: number }
  run(each: (step: S) => void): Promise<void>
  /** The terms of the loss by name, and other values that only this training has. */
  termsOf(step: S): Record<string, number | undefined>
}

/**
 * Trains parameters to the end of a plan, from the newest readable checkpoint of the fold or from the seed, with a line of metrics
 * per step and a checkpoint now and then and when it is aborted.
 */
export async function trainNetwork<S extends StepReport>(
  { folder, runFolder, index, config, random, warnings }: TrainedFold,
  parameters: Parameters,
  { trainer, plan, run, termsOf }: Training<S>,
  { signal, progress }: RunOptions,
): Promise<void> {
  const { optimizer } = trainer
  const files = foldFiles(folder)
  optimizer.steps = restore(folder, parameters, random, warnings)
  const metrics = new MetricsLog(join(runFolder, 'metrics.jsonl'), { fold: index, step: optimizer.steps })
  const speed = new SpeedLog(runFolder, index)
  let lastSave = Date.now()
  let lastFlush = Date.now()
  const save = () => {
    metrics.flush()
    saveTraining(files.checkpoint(optimizer.steps), parameters, { step: optimizer.steps })
    pruneCheckpoints(folder)
    lastSave = Date.now()
  }
  const started = { time: Date.now(), step: optimizer.steps }
  try {
    await run((report) => {
      const { epoch, items, loss, lr, beta1 } = report
      const step = optimizer.steps - 1
      const terms = Object.fromEntries(
        Object.entries(termsOf(report)).filter((entry): entry is [string, number] => entry[1] !== undefined),
      )
      metrics.add({ fold: index, epoch, step, loss, ...terms, lr, beta1 })
      const seconds = (Date.now() - started.time) / 1000
      const examplesPerSecond = ((step + 1 - started.step) * items.length) / seconds
      progress({
        phase: 'train',
        done: step + 1,
        total: plan.totalSteps,
        message: `epoch ${epoch + 1} of ${config.epochs}`,
        values: { loss, ...terms, lr, examplesPerSecond },
      })
      speed.add(items.length)
      if (Date.now() - lastFlush >= FLUSH_MS) {
        metrics.flush()
        speed.write(step)
        lastFlush = Date.now()
      }
      if (signal.aborted || Date.now() - lastSave >= config.checkpointSeconds * 1000) save()
      signal.throwIfAborted()
    })
  } finally {
    metrics.close()
  }
}

/** Fills the parameters from the newest readable checkpoint, else from the seed; returns the steps done. */
function restore(folder: string, parameters: Parameters, random: Random, warnings: string[]): number {
  for (const { path } of checkpoints(folder))
    try {
      return (loadTraining(path, parameters) as { step: number }).step
    } catch (error) {
      if (!(error instanceof MindEyeError)) throw error
      warnings.push(`${error.message} The checkpoint before it is used.`)
    }
  parameters.initialise(random)
  return 0
}
