import { Random } from '../nn/random.ts'
import type { Direction, TrialSimilarity } from '../retrieval/pools.ts'
import type { Score } from './retrievalScores.ts'
import { scoreRetrieval } from './retrievalScores.ts'

/** Pools averaged over when a pool is smaller than the test set, as in the paper. */
export const POOL_DRAWS = 30

export type TopScores = Record<`top${number}`, Score>

/** Scores in one direction within each of `ks`; a `pool` smaller than the test set is drawn 30 times. */
export function scoreDirection(
  similarity: TrialSimilarity,
  direction: Direction,
  ks: readonly number[],
  seed: number,
  pool?: number,
): TopScores {
  const drawn = pool === undefined ? undefined : { size: pool, draws: POOL_DRAWS }
  const { top } = scoreRetrieval(similarity, direction, ks, new Random(seed).split(direction), drawn)
  return Object.fromEntries([...top].map(([k, score]) => [`top${k}`, score]))
}

/** Scores in both directions. */
export const scoreRun = (
  similarity: TrialSimilarity,
  ks: readonly number[],
  seed: number,
  pool?: number,
): Record<Direction, TopScores> => ({
  image: scoreDirection(similarity, 'image', ks, seed, pool),
  brain: scoreDirection(similarity, 'brain', ks, seed, pool),
})
