import { Random } from '../nn/random.ts'
import { hitWithin, rankQueries, retrievalTask } from '../retrieval/pools.ts'
import type { Direction } from '../retrieval/pools.ts'
import type { RunSimilarity } from '../retrieval/runSimilarity.ts'
import { metricIds, metrics } from './metrics.ts'
import type { MetricId } from './metrics.ts'
import { meansByImage } from './pairing.ts'
import type { ReconstructionValues } from './reconstructionScores.ts'
import { bootstrapInterval, mean, pairedPermutationTest } from './statistics.ts'
import type { Interval } from './statistics.ts'

/** What two runs are compared by: a metric of their reconstructions, or whether the right one is retrieved first. */
export type ComparedScore = MetricId | `retrieval.${Direction}`

/** One score of two runs on the trials that both have. */
export interface PairedScore {
  score: ComparedScore
  better: 'higher' | 'lower'
  /** Means over the shared images. */
  a: number
  b: number
  /** Mean of a − b, with a bootstrap interval over images. */
  difference: number
  ci95: Interval
  /** Paired permutation test (signs exchanged image by image), two-sided. */
  p: number
  /** Distinct images and trials that both have. */
  images: number
  trials: number
}

/** A score that cannot be compared, and why. */
export interface Incomparable {
  score: ComparedScore
  reason: string
}

export interface Comparison {
  scores: PairedScore[]
  incomparable: Incomparable[]
}

/** What a run brings into a comparison. */
export interface Compared {
  similarity: RunSimilarity
  reconstructions?: ReconstructionValues
}

/** A value per trial, with the stimulus that the trial saw. */
interface ByTrial {
  trial: ArrayLike<number>
  stimulus: ArrayLike<number>
  values: ArrayLike<number>
}

/** Two decoders of one subject, trial by trial. What depends on the pool is compared only where both had the same images to choose from. */
export function compareRuns(a: Compared, b: Compared, seed: number): Comparison {
  const scores: PairedScore[] = []
  const incomparable: Incomparable[] = []
  const add = (score: ComparedScore, better: 'higher' | 'lower', of: (run: Compared) => ByTrial | undefined): void => {
    const [x, y] = [of(a), of(b)]
    const random = new Random(seed).split('compare', score)
    const paired = x && y && pairedScore(x, y, random)
    if (paired) scores.push({ score, better, ...paired })
    else if (x && y) incomparable.push({ score, reason: 'they have no trial in common' })
  }
  const samePool = isSame(a.similarity.pool, b.similarity.pool)
  for (const direction of ['image', 'brain'] as const)
    if (samePool) add(`retrieval.${direction}`, 'higher', ({ similarity }) => hits(similarity, direction))
    else incomparable.push({ score: `retrieval.${direction}`, reason: 'they choose among different images' })

  const [x, y] = [a.reconstructions, b.reconstructions]
  if (x && y)
    for (const id of metricIds.filter((id) => x.metrics[id] && y.metrics[id]))
      if (metrics[id].kind !== 'identification' || isSame(x.pool, y.pool))
        add(id, metrics[id].better, ({ reconstructions }) => valuesOf(reconstructions!, id))
      else incomparable.push({ score: id, reason: 'they are told apart among different images' })
  return { scores, incomparable }
}

const isSame = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && new Set([...a, ...b]).size === a.length

/** Whether each query finds its own candidate first; in the brain direction the query is an image, which stands for its trials. */
function hits(similarity: RunSimilarity, direction: Direction): ByTrial {
  const task = retrievalTask(similarity, direction)
  const values = rankQueries(task).map((rank) => hitWithin(rank, 1))
  const stimulus = Array.from(task.own, (candidate) => similarity.pool[task.image[candidate]])
  return { trial: direction === 'image' ? similarity.trial : stimulus, stimulus, values }
}

function valuesOf({ trial, pool, pixels, metrics: found }: ReconstructionValues, id: MetricId): ByTrial | undefined {
  const values = found[id]?.values
  return values && { trial, stimulus: Array.from(pixels.ownImage, (image) => pool[image]), values }
}

function pairedScore(a: ByTrial, b: ByTrial, random: Random): Omit<PairedScore, 'score' | 'better'> | undefined {
  const place = new Map(Array.from(b.trial, (trial, i) => [trial, i]))
  const shared = Array.from(a.trial, (trial, i) => [i, place.get(trial)] as const).filter(
    (pair): pair is readonly [number, number] => pair[1] !== undefined,
  )
  if (!shared.length) return undefined
  const stimulus = shared.map(([i]) => a.stimulus[i])
  const x = meansByImage(
    shared.map(([i]) => a.values[i]),
    stimulus,
  )
  const y = meansByImage(
    shared.map(([, j]) => b.values[j]),
    stimulus,
  )
  const { difference, p } = pairedPermutationTest(x, y, random.split('signs'))
  const differences = x.map((value, i) => value - y[i])
  const ci95 = bootstrapInterval(differences, mean, random.split('interval'), { method: 'percentile', resamples: 2000 })
  return { a: mean(x), b: mean(y), difference, ci95, p, images: x.length, trials: shared.length }
}
