import { UMAP } from 'umap-js'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import type { NdArray } from '../formats/array.ts'
import { Random } from '../nn/random.ts'
import { heldOutEmbeddings, keptWithRun, readKept } from './heldOut.ts'
import { principalCoordinates } from './principal.ts'
import { ownRepeats } from './repeats.ts'
import type { HeldOutJob } from './repeats.ts'
import { cosineSimilarity } from './similarity.ts'
import type { Embeddings } from './similarity.ts'

export type MapMethod = 'pca' | 'umap'

export interface MapJob extends HeldOutJob {
  method: MapMethod
  /** Folds have encoders, and so spaces, of their own: a map shows one. */
  fold: number
}

/** The fold's held-out patterns and all images of the pool in the plane. */
export interface EmbeddingMap {
  /** (patterns + images, 2) in C order: the patterns in the order of the fold's rows, then the images of the pool. */
  xy: Float32Array
  patterns: number
  images: number
  /** PCA: share of the variance along each axis. */
  explained: [number, number]
}

/** Any seed does; with one that never changes, so does the map. */
const SEED = 42
const NEIGHBOURS = 15
const MIN_DISTANCE = 0.1
/** Rounds of UMAP's descent between two chances to abort. */
const ROUNDS_AT_ONCE = 5

/**
 * Embeddings as unit rows, as retrieval compares them, in two dimensions: their principal components, or UMAP on exact cosine
 * neighbours. Computed once and kept with the run.
 */
export async function embeddingMap(job: MapJob, options: RunOptions): Promise<EmbeddingMap> {
  const { method, fold } = job
  const kept = await keptWithRun(job.runFolder, nameOf(job), async () => {
    const { folds } = await heldOutEmbeddings(job)
    const { width, brain, image, seen, pool } = foldAt(folds, fold)
    const count = seen.length + pool.length
    const data = new Float32Array(count * width)
    data.set(brain)
    data.set(image, brain.length)
    const { xy, explained } = await layOut({ count, width, data }, method, options)
    return {
      xy: { dtype: 'float32', shape: [count, 2], data: Float32Array.from(xy) },
      explained: { dtype: 'float64', shape: [2], data: Float64Array.from(explained) },
      sizes: { dtype: 'int32', shape: [2], data: Int32Array.of(seen.length, pool.length) },
    }
  })
  return fromArrays(kept)
}

/** The map, if it was computed before; needs no TensorFlow. */
export function keptMap(job: MapJob): EmbeddingMap | undefined {
  const kept = readKept(job.runFolder, nameOf(job))
  return kept && fromArrays(kept)
}

const nameOf = ({ method, fold, config, repeats = ownRepeats(config) }: MapJob): string =>
  `map-${method}-${repeats}-${fold}`

function fromArrays(kept: Map<string, NdArray>): EmbeddingMap {
  const [patterns, images] = kept.get('sizes')!.data as Int32Array
  const [first, second] = kept.get('explained')!.data as Float64Array
  return { xy: kept.get('xy')!.data as Float32Array, patterns, images, explained: [first, second] }
}

function foldAt<T>(folds: readonly T[], fold: number): T {
  if (fold < folds.length) return folds[fold]
  throw new MindEyeError({ kind: 'input', where: 'fold', expected: `0 to ${folds.length - 1}`, found: `${fold}` })
}

/** Rows (n, N) in the plane, (n, 2). */
export async function layOut(
  rows: Embeddings,
  method: MapMethod,
  options: RunOptions,
): Promise<{ xy: Float32Array; explained: [number, number] }> {
  const similarity = cosineSimilarity(rows, rows) // (n, n): the Gram matrix of the unit rows
  if (method === 'pca') return principalCoordinates(similarity, rows.count, new Random(SEED).split('map'))
  return { xy: await umap(similarity, rows.count, options), explained: [0, 0] }
}

async function umap(similarity: Float32Array, n: number, { signal, progress }: RunOptions): Promise<Float32Array> {
  const random = new Random(SEED).split('umap')
  const nNeighbors = Math.min(NEIGHBOURS, n - 1)
  const engine = new UMAP({ nNeighbors, minDist: MIN_DISTANCE, random: () => random.uniform() })
  const { indices, distances } = exactNeighbours(similarity, n, nNeighbors)
  engine.setPrecomputedKNN(indices, distances)
  const rounds = engine.initializeFit(Array.from({ length: n }, () => [0]))
  for (let done = 0; done < rounds;) {
    for (let i = 0; i < ROUNDS_AT_ONCE && done < rounds; i++, done++) engine.step()
    progress({ phase: 'UMAP', done, total: rounds })
    await new Promise<void>((resolve) => setImmediate(resolve))
    signal.throwIfAborted()
  }
  return Float32Array.from(engine.getEmbedding().flat())
}

/** Each row's nearest by cosine distance, itself first, as UMAP counts them. */
function exactNeighbours(similarity: Float32Array, n: number, k: number) {
  const indices: number[][] = []
  const distances: number[][] = []
  for (let row = 0; row < n; row++) {
    const own = similarity.subarray(row * n, (row + 1) * n)
    const order = Array.from(own.keys())
      .filter((other) => other !== row)
      .sort((a, b) => own[b] - own[a])
      .slice(0, k - 1)
    indices.push([row, ...order])
    distances.push([0, ...order.map((other) => Math.max(0, 1 - own[other]))])
  }
  return { indices, distances }
}
