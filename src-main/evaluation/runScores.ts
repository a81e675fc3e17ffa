import { Random } from '../nn/random.ts'
import { directions } from '../retrieval/pools.ts'
import type { Direction, TrialSimilarity } from '../retrieval/pools.ts'
import type { Score } from './retrievalScores.ts'
import { scoreRetrieval } from './retrievalScores.ts'

/** Pools averaged over when a pool is smaller than the test set, as in the paper. */
export const POOL_DRAWS = 30

export type TopScores = Record<`top${number}`, Score>

/** Scores in both directions within each of `ks`; a `pool` smaller than the test set is drawn 30 times. */
export function scoreRun(
  similarity: TrialSimilarity,
  ks: readonly number[],
  seed: number,
  pool?: number,
): Record<Direction, TopScores> {
  const drawn = pool === undefined ? undefined : { size: pool, draws: POOL_DRAWS }
  const scores = directions.map((direction) => {
    const { top } = scoreRetrieval(similarity, direction, ks, new Random(seed).split(direction), drawn)
    return [direction, Object.fromEntries([...top].map(([k, score]) => [`top${k}`, score]))] as const
  })
  return Object.fromEntries(scores) as Record<Direction, TopScores>
}
