import type * as tf from '@tensorflow/tfjs-core'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { encodeNpy, openNpy } from '../formats/npy.ts'
import { openFile } from '../formats/source.ts'
import { HASH_BYTES } from '../subjects/galleryPictures.ts'
import type { Subject } from '../subjects/subject.ts'
import { openSubject } from '../subjects/subject.ts'
import { loadDecoder } from '../training/decoder.ts'
import type { Networks } from '../training/encoder.ts'
import { encodePictures, openEncoder } from '../training/encoder.ts'
import { applyScaling } from '../training/examples.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { foldFiles, loadScaling } from '../training/foldFiles.ts'
import type { ImageEncoder } from '../training/imageEncoder.ts'
import { foldFolder } from '../training/foldTest.ts'
import type { Neighbours } from './best.ts'
import { damagedPictures, nearestIntact, readHashes } from './galleryAnswers.ts'
import type { Embeddings } from './similarity.ts'
import { unitRows } from './similarity.ts'
import { topK } from './topk.ts'

/** Where the candidates come from: a subject's distinct stimuli, or a gallery as the fold's encoder sees it. */
export type GallerySource = { subjectFolder: string } | { embeddings: string; hashes: string }

export interface DecodeJob {
  runFolder: string
  fold: number
  config: TrainingConfig
  /** Of the run's pack. */
  networks: Networks
  /** `.npy`, (trials, V) float32 in the units of the imported data. */
  voxels: string
  gallery: GallerySource
  top: number
  /** Where to write the embeddings, (trials, N) float32 `.npy`. */
  embeddings?: string
}

export interface DecodedTrials {
  /** Numbers per embedding, N. */
  width: number
  gallery: number
  /** Entries are positions in the gallery. */
  neighbours: Neighbours
  /** Of all voxels of all trials after z-scoring with the training trials' statistics, which have mean 0 and SD 1. */
  z: { mean: number; sd: number }
}

const TRIALS_AT_ONCE = 256
const PICTURES_AT_ONCE = 256

/** Embeds trials of unknown images with one fold's decoder and finds the most similar pictures of a gallery. */
export async function decodeTrials(job: DecodeJob, options: RunOptions): Promise<DecodedTrials> {
  const { brain, z } = embedTrials(job)
  const { gallery, neighbours } = await findNearest(brain, job, options)
  if (job.embeddings !== undefined) {
    const { count, width, data } = brain
    writeFileAtomic(
      job.embeddings,
      encodeNpy({ dtype: 'float32', shape: [count, width], data: Float32Array.from(data) }),
    )
  }
  return { width: brain.width, gallery, neighbours, z }
}

async function findNearest(
  brain: Embeddings,
  job: DecodeJob,
  options: RunOptions,
): Promise<Pick<DecodedTrials, 'gallery' | 'neighbours'>> {
  if ('embeddings' in job.gallery) {
    const hashes = readHashes(job.gallery.hashes)
    const damaged = damagedPictures(hashes)
    const gallery = hashes.length / HASH_BYTES - damaged.size
    const k = Math.min(job.top, gallery)
    return { gallery, neighbours: await nearestIntact(brain, job.gallery.embeddings, k, damaged) }
  }
  const subject = await openSubject(job.gallery.subjectFolder)
  try {
    const neighbours = await topK(brain, embedStimuli(subject, job, options), job.top)
    return { gallery: subject.stimuli.ids.length, neighbours }
  } finally {
    subject.close()
  }
}

function embedTrials({ runFolder, fold, config, voxels }: DecodeJob): Pick<DecodedTrials, 'z'> & { brain: Embeddings } {
  const files = foldFiles(foldFolder(runFolder, fold))
  const scaling = loadScaling(files.scaling)
  const source = openNpy(openFile(voxels))
  const decoder = loadDecoder(files.model, config, scaling.sessions[0].mean.length)
  try {
    const [entry] = source.arrays
    const [count] = entry.shape
    const parts: Float32Array[] = []
    let [sum, squares, n] = [0, 0, 0]
    for (let at = 0; at < count; at += TRIALS_AT_ONCE) {
      const rows = entry.readRows(at, Math.min(count, at + TRIALS_AT_ONCE))
      // Which session a new trial would belong to is unknown: the statistics over all training trials serve.
      const session = new Int32Array(rows.shape[0]).fill(-1)
      const scaled = applyScaling(scaling, rows.data as Float32Array, session)
      for (const value of scaled) {
        sum += value
        squares += value * value
      }
      n += scaled.length
      parts.push(decoder.predict(scaled))
    }
    const width = parts[0].length / Math.min(count, TRIALS_AT_ONCE)
    const data = new Float32Array(count * width)
    parts.forEach((part, i) => data.set(part, i * TRIALS_AT_ONCE * width))
    const mean = sum / n
    return { brain: { count, width, data }, z: { mean, sd: Math.sqrt(Math.max(0, squares / n - mean * mean)) } }
  } finally {
    decoder.dispose()
    source.close()
  }
}

/** The embeddings of all stimuli, block by block as unit rows; each is disposed when the next is asked for. */
async function* embedStimuli(
  subject: Subject,
  { runFolder, fold, config, networks }: DecodeJob,
  { signal, progress }: RunOptions,
): AsyncGenerator<tf.Tensor2D> {
  const total = subject.stimuli.ids.length
  let encoder: ImageEncoder | undefined
  try {
    for (let at = 0; at < total; at += PICTURES_AT_ONCE) {
      signal.throwIfAborted()
      const count = Math.min(PICTURES_AT_ONCE, total - at)
      const block = subject.readImages(Array.from({ length: count }, (_, i) => at + i))
      encoder ??= await openEncoder(config, networks, foldFiles(foldFolder(runFolder, fold)).encoder, block)
      const width = encoder.tokens * encoder.width
      const rows = unitRows({ count, width, data: await encodePictures(encoder, block, config) }, at)
      try {
        yield rows
      } finally {
        rows.dispose()
      }
      progress({ phase: 'embed the stimuli', done: at + count, total })
    }
  } finally {
    encoder?.dispose()
  }
}
