import type { TestEmbeddings } from '../training/foldFiles.ts'
import type { TrialSimilarity } from './pools.ts'
import { cosineSimilarity } from './similarity.ts'

/** A run's held-out brain patterns against its pool, with what each row and column is. */
export interface RunSimilarity extends TrialSimilarity {
  /** First trial of each row, (trials). */
  trial: Int32Array
  /** Stimulus of each column, (images). */
  pool: Int32Array
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
    pool,
  }
  let row = 0
  for (const { width, brain, image, seen, trial } of folds) {
    const queries = { count: seen.length, width, data: brain }
    joined.values.set(cosineSimilarity(queries, { count: pool.length, width, data: image }), row * pool.length)
    joined.ownImage.set(
      seen.map((stimulus) => column.get(stimulus)!),
      row,
    )
    joined.trial.set(trial, row)
    row += seen.length
  }
  return joined
}
