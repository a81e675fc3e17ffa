import { join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import type { NdArray } from '../formats/array.ts'
import { encodeSafetensors } from '../formats/safetensors.ts'
import type { ContrastWatch, Mixing } from './losses.ts'
import type { StepPlan } from './plan.ts'

/** What a snapshot says beside its matrices: JSON in the metadata of the file, under `batch`. */
export interface BatchFacts {
  fold: number
  epoch: number
  step: number
  /** The contrastive loss that saw the batch: BiMixCo (InfoNCE without mixing), SoftCLIP, or the low-level one on tokens. */
  loss: StepPlan['phase'] | 'soft-contrast'
  /** How the batch was mixed. */
  mixing: 'mixco' | 'mixup' | 'none'
  temperature: number
  /** Index of each example's stimulus, (B): rows and columns of the matrices. */
  stimuli: number[]
  /** Which repeat of the stimuli was shown, where one is. */
  repeat?: number
  /** With whom each example is mixed and its own share, (B) each; absent where none is. */
  permutation?: number[]
  betas?: number[]
  /** The loss and its terms by name. */
  terms: Record<string, number>
  /** When it was taken, ISO 8601. */
  at: string
}

/** What a trainer tells of a step. */
export interface SnapshotStep {
  epoch: number
  items: Int32Array
  loss: number
  phase?: StepPlan['phase']
  temperature?: number
  repeat?: number
  mixing?: Mixing
  mixTargets?: boolean
  nce?: number
  mse?: number
  prior?: number
  pixels?: number
  l1?: number
  contrast?: number
}

export interface SnapshotOptions {
  fold: number
  /** Index of each training example's stimulus. */
  stimuli: Int32Array
  /** Of the contrast, where a step does not tell. */
  temperature?: number
  /** Tokens per example that are contrasted one by one. */
  places?: number
}

/** At most one in `intervalMs`, and so rarely that there is `rest` times as long between two as one takes to write. */
export interface SnapshotPace {
  intervalMs: number
  rest: number
}

const PACE: SnapshotPace = { intervalMs: 2000, rest: 100 }

interface Seen {
  logits: Float32Array<ArrayBuffer>
  target: Float32Array<ArrayBuffer>
}

/** The newest snapshot of a run. */
export const batchFile = (runFolder: string): string => join(runFolder, 'batch.safetensors')

/**
 * Now and then writes what the contrastive loss saw of a batch into `batch.safetensors`: `similarity` (B, B), cosines of each brain pattern
 * with each image, and `target` (B, B), the labels of the rows, both as the loss had them. It only reads, so a training gives the same bits
 * with it as without, and a disk that refuses ends the snapshots, not the training.
 */
export class BatchSnapshots {
  private readonly path: string
  private readonly options: SnapshotOptions
  private readonly pace: SnapshotPace
  private next = 0
  private seen: Seen | undefined

  constructor(runFolder: string, options: SnapshotOptions, pace = PACE) {
    this.path = batchFile(runFolder)
    this.options = options
    this.pace = pace
  }

  /** What a step shows its contrast to when a snapshot is due. */
  watch(): ContrastWatch | undefined {
    if (performance.now() < this.next) return undefined
    return (logits, target) => {
      this.seen = { logits: Float32Array.from(logits.dataSync()), target: Float32Array.from(target.dataSync()) }
    }
  }

  /** Writes what was watched in this step, if anything. */
  save(step: number, report: SnapshotStep): void {
    if (!this.seen) return
    const { seen } = this
    this.seen = undefined
    const began = performance.now()
    try {
      writeFileAtomic(this.path, encodeBatch(this.factsOf(step, report), seen, this.options.places ?? 1))
      const ended = performance.now()
      this.next = ended + Math.max(this.pace.intervalMs, this.pace.rest * (ended - began))
    } catch {
      this.next = Infinity // a picture for the eye must not end a training
    }
  }

  private factsOf(step: number, report: SnapshotStep): BatchFacts {
    const { phase, mixing, mixTargets, temperature, repeat, loss, nce, mse, prior, pixels, l1, contrast } = report
    const terms = Object.entries({ loss, nce, mse, prior, pixels, l1, contrast })
    return {
      fold: this.options.fold,
      epoch: report.epoch,
      step,
      loss: phase ?? 'soft-contrast',
      mixing: mixing ? (mixTargets ? 'mixup' : 'mixco') : 'none',
      temperature: temperature ?? this.options.temperature ?? 1,
      stimuli: Array.from(report.items, (item) => this.options.stimuli[item]),
      repeat,
      permutation: mixing && [...mixing.permutation],
      betas: mixing && [...mixing.betas],
      terms: Object.fromEntries(terms.filter((entry): entry is [string, number] => entry[1] !== undefined)),
      at: new Date().toISOString(),
    }
  }
}

function encodeBatch(facts: BatchFacts, { logits, target }: Seen, places: number): Uint8Array {
  const size = facts.stimuli.length
  const similarity = logits.map((logit) => logit * facts.temperature)
  // Of tokens: the mean cosine of two pictures' tokens, and the share of a picture's labels that lies on another.
  const matrix = (data: Float32Array<ArrayBuffer>, scale: number): NdArray => ({
    dtype: 'float32',
    shape: [size, size],
    data: places === 1 ? data : blockSums(data, size, places, scale),
  })
  return encodeSafetensors(
    { similarity: matrix(similarity, 1 / places ** 2), target: matrix(target, 1 / places) },
    { batch: JSON.stringify(facts) },
  )
}

/** Sums of the blocks (P, P) of a matrix (B·P, B·P), times `scale`: (B, B). */
function blockSums(data: Float32Array, size: number, places: number, scale: number): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(size * size)
  const width = size * places
  for (let row = 0; row < width; row++)
    for (let column = 0; column < width; column++)
      sums[Math.floor(row / places) * size + Math.floor(column / places)] += data[row * width + column]
  return Float32Array.from(sums, (sum) => sum * scale)
}
