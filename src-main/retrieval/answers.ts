import type { Random } from '../nn/random.ts'
import { checkPoolSize, expectedRank, rankQueries } from './pools.ts'
import type { RetrievalTask } from './pools.ts'

/** What a query finds: candidates, most similar first, and where its own one stands. */
export interface Answer {
  query: number
  /** Expected place of the own candidate when ties are broken by lot; 1 is best. */
  rank: number
  found: { candidate: number; similarity: number; correct: boolean }[]
}

/**
 * The `top` best candidates of each query. With `size`, each query is asked in a pool of that many: its own candidate and
 * the first others of one seeded order, so that every query can be right and the pools differ as little as possible.
 */
export function answerQueries(task: RetrievalTask, top: number, random: Random, size = task.candidates): Answer[] {
  checkPoolSize(task.candidates, size)
  const order = random.permutation(task.candidates)
  return Array.from({ length: task.queries }, (_, query) => {
    const own = task.own[query]
    const pool = Int32Array.of(own, ...order.filter((candidate) => candidate !== own).slice(0, size - 1)).sort()
    const row = task.values.subarray(query * task.candidates, (query + 1) * task.candidates)
    const [rank] = rankQueries(task, Int32Array.of(query), pool)
    const best = [...pool].sort((a, b) => row[b] - row[a]).slice(0, top)
    const found = best.map((candidate) => ({ candidate, similarity: row[candidate], correct: candidate === own }))
    return { query, rank: expectedRank(rank), found }
  })
}
