import type { NdArray } from '../formats/array.ts'
import type { TestEmbeddings } from '../training/foldFiles.ts'
import { heldOutEmbeddings, keptWithRun, readKept } from './heldOut.ts'
import type { TrialSimilarity } from './pools.ts'
import { ownRepeats } from './repeats.ts'
import type { HeldOutJob } from './repeats.ts'
import { cosineSimilarity } from './similarity.ts'

/** A run's held-out brain patterns against its pool, with what each row and column is. */
export interface RunSimilarity extends TrialSimilarity {
  /** First trial of each row, (trials). */
  trial: Int32Array
  /** Fold of each row, (trials). */
  fold: Int32Array
  /** Stimulus of each column, (images). */
  pool: Int32Array
}

/** With what its run offers beside it. */
export interface KeptSimilarity extends RunSimilarity {
  /** Some image has several held-out trials, so that averages and single trials differ. */
  isRepeated: boolean
}

/** Joins the folds of a run: each held-out pattern is compared by its own fold's model and image encoder. */
export function runSimilarity(folds: readonly TestEmbeddings[]): RunSimilarity {
  const { pool } = folds[0]
  const column = new Map(Array.from(pool, (stimulus, i) => [stimulus, i]))
  const trials = folds.reduce((sum, { seen }) => sum + seen.length, 0)
  const joined: RunSimilarity = {
    trials,
    images: pool.length,
    values: new Float32Array(trials * pool.length),
    ownImage: new Int32Array(trials),
    trial: new Int32Array(trials),
    fold: new Int32Array(trials),
    pool,
  }
  let row = 0
  for (const [fold, { width, brain, image, seen, trial }] of folds.entries()) {
    const queries = { count: seen.length, width, data: brain }
    joined.values.set(cosineSimilarity(queries, { count: pool.length, width, data: image }), row * pool.length)
    joined.ownImage.set(
      seen.map((stimulus) => column.get(stimulus)!),
      row,
    )
    joined.trial.set(trial, row)
    joined.fold.fill(fold, row, row + seen.length)
    row += seen.length
  }
  return joined
}

const nameOf = ({ repeats, config }: HeldOutJob): string => `similarity-${repeats ?? ownRepeats(config)}`

/** The similarities of a finished run, if they were computed before; needs no TensorFlow. */
export function keptSimilarity(job: HeldOutJob): KeptSimilarity | undefined {
  const kept = readKept(job.runFolder, nameOf(job))
  return kept && fromArrays(kept)
}

/** The similarities of a finished run, computed once and kept with it. */
export async function similarityOf(job: HeldOutJob): Promise<KeptSimilarity> {
  const kept = await keptWithRun(job.runFolder, nameOf(job), async () => {
    const { folds, isRepeated } = await heldOutEmbeddings(job)
    const { trials, images, values, ...labels } = runSimilarity(folds)
    const ints = Object.entries(labels).map(
      ([label, data]) => [label, { dtype: 'int32', shape: [data.length], data: Int32Array.from(data) }] as const,
    )
    return {
      values: { dtype: 'float32', shape: [trials, images], data: Float32Array.from(values) },
      ...Object.fromEntries(ints),
      isRepeated: { dtype: 'uint8', shape: [1], data: Uint8Array.of(isRepeated ? 1 : 0) },
    }
  })
  return fromArrays(kept)
}

function fromArrays(kept: Map<string, NdArray>): KeptSimilarity {
  const data = <T>(label: string) => kept.get(label)!.data as T
  const [trials, images] = kept.get('values')!.shape
  return {
    trials,
    images,
    values: data('values'),
    ownImage: data('ownImage'),
    trial: data('trial'),
    fold: data('fold'),
    isRepeated: data<Uint8Array>('isRepeated')[0] === 1,
    pool: data('pool'),
  }
}
