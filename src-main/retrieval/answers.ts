import { Random } from '../nn/random.ts'
import type { Neighbours } from './best.ts'
import { noneYet, offer } from './best.ts'
import { checkPoolSize, expectedRank, rankQueries } from './pools.ts'
import type { Direction, RetrievalTask } from './pools.ts'

/** What each query finds in its pool: its k best candidates, and where its own one stands. */
export interface AnswerTable extends Neighbours {
  /** Expected place of each query's own candidate when ties are broken by lot, (queries); 1 is best. */
  rank: Float32Array
}

/** Draws the pools of a direction, wherever they are asked for. */
export const poolRandom = (seed: number, direction: Direction): Random => new Random(seed).split('retrieve', direction)

/**
 * The `top` best candidates of each query. With `size`, each query is asked in a pool of that many: its own candidate and
 * the first others of one seeded order, so that every query can be right and the pools differ as little as possible.
 * Of equal similarities the candidate with the lower number comes first.
 */
export function answerTable(task: RetrievalTask, top: number, random: Random, size = task.candidates): AnswerTable {
  checkPoolSize(task.candidates, size)
  const { queries, candidates, values, own } = task
  const order = random.permutation(candidates)
  const first = order.slice(0, size).sort()
  const others = order.slice(0, size - 1).sort()
  const within = new Set(first)
  const best = noneYet(queries, Math.min(top, size))
  const rank = new Float32Array(queries)
  for (let query = 0; query < queries; query++) {
    const pool = within.has(own[query]) ? first : Int32Array.of(own[query], ...others).sort()
    for (const candidate of pool) offer(best, query * best.k, candidate, values[query * candidates + candidate])
    rank[query] = expectedRank(rankQueries(task, Int32Array.of(query), pool)[0])
  }
  return { ...best, rank }
}

/** What a query finds: candidates, most similar first, and where its own one stands. */
export interface Answer {
  query: number
  rank: number
  found: { candidate: number; similarity: number; correct: boolean }[]
}

/** The rows of `answerTable`, for reading one by one. */
export function answerQueries(task: RetrievalTask, top: number, random: Random, size?: number): Answer[] {
  const { k, index, similarity, rank } = answerTable(task, top, random, size)
  return Array.from(rank, (place, query) => ({
    query,
    rank: place,
    found: Array.from(index.subarray(query * k, (query + 1) * k), (candidate, i) => ({
      candidate,
      similarity: similarity[query * k + i],
      correct: candidate === task.own[query],
    })),
  }))
}
