import { MindEyeError } from '../base/errors.ts'
import type { Random } from '../nn/random.ts'

/**
 * `image`: given the brain pattern, find the image (one query per trial, the candidates are distinct images).
 * `brain`: given the image, find the brain pattern (one query per distinct image, the candidates are one averaged
 * pattern per distinct image).
 * The official code's labels are transposed: its "fwd" ("given brain, find image") has images as rows and takes the argmax
 * over brains, which is `brain` here; its "bwd" is `image`.
 */
export type Direction = 'image' | 'brain'

export const directions: readonly Direction[] = ['image', 'brain']

/** Brain embeddings against the distinct test images. */
export interface TrialSimilarity {
  trials: number
  images: number
  /** Cosines, (trials, images) in C order. */
  values: Float32Array
  /** Index of each trial's own image, (trials). */
  ownImage: Int32Array
}

/** Queries against candidates of one direction: query q is right when it finds candidate `own[q]`. */
export interface RetrievalTask {
  direction: Direction
  queries: number
  candidates: number
  /** (queries, candidates) in C order. */
  values: Float32Array
  own: Int32Array
  /** Column of the image that each candidate is, or is the pattern of, (candidates). */
  image: Int32Array
}

/** Where the right candidate stands: how many are more similar, how many are equally similar (itself not counted). */
export interface Rank {
  above: number
  tied: number
}

/** Cosines that differ by less are ties: float32 products of equal embeddings differ by so much between blocks of a product. */
const TIE = 1e-6

/** The task that a direction asks. Brain direction: images without a trial have no pattern and take no part. */
export function retrievalTask(similarity: TrialSimilarity, direction: Direction): RetrievalTask {
  checkOwnImages(similarity)
  const { trials, images, values, ownImage } = similarity
  if (direction === 'image')
    return {
      direction,
      queries: trials,
      candidates: images,
      values,
      own: ownImage,
      image: Int32Array.from({ length: images }, (_, i) => i),
    }

  const seen = [...new Set(ownImage)].sort((a, b) => a - b)
  const candidateOf = new Map(seen.map((image, candidate) => [image, candidate]))
  const n = seen.length
  const repeats = new Float64Array(n)
  const sums = new Float64Array(n * n)
  for (let trial = 0; trial < trials; trial++) {
    const candidate = candidateOf.get(ownImage[trial])!
    repeats[candidate]++
    for (let query = 0; query < n; query++) sums[query * n + candidate] += values[trial * images + seen[query]]
  }
  return {
    direction,
    queries: n,
    candidates: n,
    values: Float32Array.from(sums, (sum, i) => sum / repeats[i % n]),
    own: Int32Array.from({ length: n }, (_, i) => i),
    image: Int32Array.from(seen),
  }
}

function checkOwnImages({ trials, images, values, ownImage }: TrialSimilarity): void {
  if (values.length !== trials * images || ownImage.length !== trials)
    throw new RangeError(
      `similarities of ${trials} trials x ${images} images: ${values.length} values, ${ownImage.length} labels`,
    )
  const astray = ownImage.findIndex((image) => !(image >= 0 && image < images))
  if (astray >= 0)
    throw new MindEyeError({
      kind: 'state',
      where: `trial ${astray}`,
      field: 'image',
      expected: `one of the ${images} images of the pool`,
      found: `${ownImage[astray]}`,
      fix: 'Put the image of every scored trial into the pool.',
    })
}

/** Rank of every query's own candidate, among all candidates or among those of a pool (which must hold its own). */
export function rankQueries(task: RetrievalTask, queries?: Int32Array, pool?: Int32Array): Rank[] {
  const asked = queries ?? Int32Array.from({ length: task.queries }, (_, i) => i)
  const among = pool ?? Int32Array.from({ length: task.candidates }, (_, i) => i)
  return Array.from(asked, (query) => {
    const row = task.values.subarray(query * task.candidates, (query + 1) * task.candidates)
    const truth = row[task.own[query]]
    const rank = { above: 0, tied: 0 }
    for (const candidate of among) {
      if (candidate === task.own[query]) continue
      const lead = row[candidate] - truth
      if (lead > TIE) rank.above++
      else if (lead >= -TIE) rank.tied++
    }
    return rank
  })
}

/**
 * Probability that the right candidate is among the k best when ties are broken by lot: 1 or 0 without ties,
 * k / pool when all candidates are equal, so that an embedding that knows nothing scores chance.
 */
export function hitWithin({ above, tied }: Rank, k: number): number {
  return Math.min(1, Math.max(0, (k - above) / (tied + 1)))
}

/** The expected place of the right candidate when ties are broken by lot; 1 is best. */
export function expectedRank({ above, tied }: Rank): number {
  return 1 + above + tied / 2
}

/** Throws an input error for a size that no pool of distinct candidates can have. */
export function checkPoolSize(candidates: number, size: number): void {
  if (Number.isInteger(size) && size >= 1 && size <= candidates) return
  throw new MindEyeError({
    kind: 'input',
    where: 'pool',
    expected: `a whole number from 1 to the ${candidates} distinct test images`,
    found: `${size}`,
    fix: 'Choose a smaller pool, or leave it out to use all test images.',
  })
}

/** `draws` seeded pools of `size` distinct candidates each, without replacement within a pool. */
export function drawPools(candidates: number, size: number, draws: number, random: Random): Int32Array[] {
  checkPoolSize(candidates, size)
  return Array.from({ length: draws }, () => random.permutation(candidates).slice(0, size))
}
