import type { Random } from '../nn/random.ts'
import { drawPools, hitWithin, rankQueries, retrievalTask } from '../retrieval/pools.ts'
import type { Direction, Rank, TrialSimilarity } from '../retrieval/pools.ts'
import { bootstrapDistribution, percentileInterval } from './statistics.ts'
import type { Interval } from './statistics.ts'

/** Proportion of queries whose own candidate is within the k best. */
export interface Score {
  mean: number
  ci95: Interval
  /** Number of queries scored: trials in the image direction, distinct images in the brain direction. */
  n: number
  /** k / pool size. */
  chance: number
}

export interface RetrievalScores {
  direction: Direction
  /** Candidates per query. */
  poolSize: number
  /** Seeded pools averaged over; 1 when the pool holds every candidate. */
  draws: number
  /** By k. */
  top: Map<number, Score>
  /** Of every query among all candidates. */
  ranks: Rank[]
}

export interface PoolOptions {
  size: number
  /** 30 in the paper. */
  draws: number
}

const RESAMPLES = 2000

/** One pool's queries with their hits, and the distinct image that each query asks about. */
interface PoolHits {
  image: Int32Array
  hit: Float64Array
}

/**
 * Top-k retrieval in one direction, over the pool of all distinct test images or, as in the paper, averaged over seeded
 * pools of `pool.size` distinct images (only the queries whose image is in a pool are asked there).
 *
 * `ci95` is a percentile bootstrap (2000 resamples) over **distinct images**, because repeats of an image are not
 * independent; with seeded pools each resample draws the pools anew as well, so the interval carries both. It speaks about
 * other images of the same kind with this trained decoder: the candidates stay, and training is not repeated. Where every
 * query is right or every one wrong the bootstrap has nothing to resample, and the exact binomial bound on the number of
 * distinct images (Clopper and Pearson) is given instead.
 */
export function scoreRetrieval(
  similarity: TrialSimilarity,
  direction: Direction,
  ks: readonly number[],
  random: Random,
  pool?: PoolOptions,
): RetrievalScores {
  const task = retrievalTask(similarity, direction)
  const size = pool?.size ?? task.candidates
  const draws = pool && size < task.candidates ? pool.draws : 1
  const pools = drawPools(task.candidates, size, draws, random.split('pools'))

  const ranksByPool = pools.map((members) => {
    const inside = new Set(members)
    const queries = Int32Array.from({ length: task.queries }, (_, i) => i).filter((query) =>
      inside.has(task.own[query]),
    )
    return { image: queries.map((query) => task.own[query]), ranks: rankQueries(task, queries, members) }
  })
  const asked = new Set(ranksByPool.flatMap(({ image }) => [...image]))
  const n = task.own.filter((image) => asked.has(image)).length

  const top = new Map(
    ks.map((k) => {
      const hits = ranksByPool
        .map(({ image, ranks }) => ({ image, hit: Float64Array.from(ranks, (rank) => hitWithin(rank, k)) }))
        .filter(({ hit }) => hit.length > 0)
      const mean = meanOverPools(hits)
      const ci95 = interval(hits, mean, asked.size, random.split('interval', k))
      return [k, { mean, ci95, n, chance: Math.min(1, k / size) }]
    }),
  )
  return { direction, poolSize: size, draws, top, ranks: rankQueries(task) }
}

function meanOverPools(pools: PoolHits[]): number {
  let sum = 0
  for (const { hit } of pools) sum += hit.reduce((a, b) => a + b, 0) / hit.length
  return sum / pools.length
}

function interval(pools: PoolHits[], mean: number, images: number, random: Random): Interval {
  const miss = 0.025 ** (1 / images)
  if (mean === 1) return [miss, 1]
  if (mean === 0) return [0, 1 - miss]

  const labels = [...new Set(pools.flatMap(({ image }) => [...image]))]
  const weight = new Float64Array(Math.max(...labels) + 1)
  const statistic = (indices: Int32Array): number => {
    weight.fill(0)
    for (const i of indices) weight[labels[i]]++
    let sum = 0
    let counted = 0
    for (let draw = 0; draw < pools.length; draw++) {
      const { image, hit } = pools[pools.length > 1 ? random.int(pools.length) : 0]
      let hits = 0
      let weights = 0
      for (let q = 0; q < hit.length; q++) {
        hits += weight[image[q]] * hit[q]
        weights += weight[image[q]]
      }
      if (weights === 0) continue
      sum += hits / weights
      counted++
    }
    // A resample whose images lie in none of the drawn pools says nothing.
    return counted ? sum / counted : mean
  }
  return percentileInterval(bootstrapDistribution(labels.length, statistic, random, RESAMPLES))
}
