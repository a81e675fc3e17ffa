import type { RunOptions } from '../base/progress.ts'
import type { NdArray } from '../formats/array.ts'
import { openNpy } from '../formats/npy.ts'
import { openFile } from '../formats/source.ts'
import { HASH_BYTES, pictureHash } from '../subjects/galleryPictures.ts'
import { openSubject } from '../subjects/subject.ts'
import type { Neighbours } from './best.ts'
import { heldOutEmbeddings, keptWithRun, readKept } from './heldOut.ts'
import { ownRepeats } from './repeats.ts'
import type { HeldOutJob } from './repeats.ts'
import { topK } from './topk.ts'
import type { Embeddings } from './similarity.ts'
import { unitBlocks } from './similarity.ts'

/** A gallery as embedded for a run. */
export interface EmbeddedGallery {
  /** By fold, `.npy` (n, N) float32: the pictures as that fold's encoder sees them. */
  embeddings: string[]
  /** `.npy` (n, 16) uint8 of the pictures at the size of the subject's images; all zeros where one is damaged. */
  hashes: string
}

export interface GalleryJob extends HeldOutJob {
  gallery: EmbeddedGallery
  /** Names what the gallery was, in file names. */
  galleryKey: string
}

/** What each held-out pattern of a run finds in a gallery. */
export interface GalleryAnswers extends Neighbours {
  /** First trial of each row, (rows). */
  trial: Int32Array
  /** Stimulus that each row saw, (rows). */
  seen: Int32Array
  /** Number in the gallery of the very picture that each row saw, -1 where the gallery does not hold it, (rows). */
  own: Int32Array
}

/** Kept of each pattern, whatever is asked for later. */
export const MOST_NEIGHBOURS = 100

/** The most similar pictures of a gallery for every held-out pattern, computed once and kept with the run. */
export async function galleryAnswers(job: GalleryJob, { signal }: RunOptions): Promise<GalleryAnswers> {
  const kept = await keptWithRun(job.runFolder, nameOf(job), async () => {
    const { k, index, similarity, ...rows } = await computeAnswers(job, signal)
    const count = rows.trial.length
    return {
      index: { dtype: 'int32', shape: [count, k], data: Int32Array.from(index) },
      similarity: { dtype: 'float32', shape: [count, k], data: Float32Array.from(similarity) },
      trial: { dtype: 'int32', shape: [count], data: Int32Array.from(rows.trial) },
      seen: { dtype: 'int32', shape: [count], data: Int32Array.from(rows.seen) },
      own: { dtype: 'int32', shape: [count], data: Int32Array.from(rows.own) },
    }
  })
  return fromArrays(kept)
}

/** The same, if it was computed before; needs no TensorFlow. */
export function keptGalleryAnswers(job: GalleryJob): GalleryAnswers | undefined {
  const kept = readKept(job.runFolder, nameOf(job))
  return kept && fromArrays(kept)
}

const nameOf = ({ galleryKey, repeats, config }: GalleryJob): string =>
  `gallery-${galleryKey}-${repeats ?? ownRepeats(config)}`

function fromArrays(kept: Map<string, NdArray>): GalleryAnswers {
  const data = <T>(label: string) => kept.get(label)!.data as T
  return {
    k: kept.get('index')!.shape[1],
    index: data('index'),
    similarity: data('similarity'),
    trial: data('trial'),
    seen: data('seen'),
    own: data('own'),
  }
}

async function computeAnswers(job: GalleryJob, signal: AbortSignal): Promise<GalleryAnswers> {
  const { folds } = await heldOutEmbeddings(job)
  const hashes = readHashes(job.gallery.hashes)
  const damaged = damagedPictures(hashes)
  const count = hashes.length / HASH_BYTES
  const numberOf = new Map(Array.from({ length: count }, (_, i) => [hashAt(hashes, i), i]))
  const k = Math.min(MOST_NEIGHBOURS, count - damaged.size)
  const rows = folds.reduce((sum, { seen }) => sum + seen.length, 0)
  const answers: GalleryAnswers = {
    k,
    index: new Int32Array(rows * k),
    similarity: new Float32Array(rows * k),
    trial: new Int32Array(rows),
    seen: new Int32Array(rows),
    own: new Int32Array(rows),
  }
  const subject = await openSubject(job.subjectFolder)
  try {
    let row = 0
    for (const [fold, { width, brain, seen, trial }] of folds.entries()) {
      signal.throwIfAborted()
      const queries = { count: seen.length, width, data: brain }
      const found = await nearestIntact(queries, job.gallery.embeddings[fold], k, damaged)
      answers.index.set(found.index, row * k)
      answers.similarity.set(found.similarity, row * k)
      answers.trial.set(trial, row)
      answers.seen.set(seen, row)
      for (const stimulus of seen) {
        const pixels = subject.readImages([stimulus]).data
        answers.own[row++] = numberOf.get(Buffer.from(pictureHash(pixels)).toString('hex')) ?? -1
      }
    }
    return answers
  } finally {
    subject.close()
  }
}

/** The k most similar of the pictures of a file (n, N) that are not damaged. */
export async function nearestIntact(
  queries: Embeddings,
  embeddings: string,
  k: number,
  damaged: ReadonlySet<number>,
): Promise<Neighbours> {
  const file = openNpy(openFile(embeddings))
  try {
    const found = await topK(queries, unitBlocks(file.arrays[0]), k + damaged.size)
    if (!damaged.size) return found
    // A damaged picture has a place among the best like any other; one row loses as many places as there are.
    const intact: Neighbours = {
      k,
      index: new Int32Array(queries.count * k),
      similarity: new Float32Array(queries.count * k),
    }
    for (let row = 0; row < queries.count; row++)
      for (let from = row * found.k, to = row * k; to < (row + 1) * k; from++) {
        if (damaged.has(found.index[from])) continue
        intact.index[to] = found.index[from]
        intact.similarity[to++] = found.similarity[from]
      }
    return intact
  } finally {
    file.close()
  }
}

/** Hashes of a gallery's pictures, (n, 16) in C order. */
export function readHashes(path: string): Uint8Array {
  const file = openNpy(openFile(path))
  try {
    return file.arrays[0].read().data as Uint8Array
  } finally {
    file.close()
  }
}

const hashAt = (hashes: Uint8Array, i: number): string =>
  Buffer.from(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)).toString('hex')

/** Numbers of the pictures that could not be read. */
export function damagedPictures(hashes: Uint8Array): Set<number> {
  const none = '0'.repeat(2 * HASH_BYTES)
  const numbers = Array.from({ length: hashes.length / HASH_BYTES }, (_, i) => i)
  return new Set(numbers.filter((i) => hashAt(hashes, i) === none))
}
