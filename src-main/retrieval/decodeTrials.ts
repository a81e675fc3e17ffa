import type * as tf from '@tensorflow/tfjs-core'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { encodeNpy, openNpy } from '../formats/npy.ts'
import { openFile } from '../formats/source.ts'
import type { StimulusImages } from '../subjects/subject.ts'
import { openSubject } from '../subjects/subject.ts'
import { loadDecoder } from '../training/decoder.ts'
import type { Networks } from '../training/encoder.ts'
import { encodePictures, openEncoder } from '../training/encoder.ts'
import { applyScaling } from '../training/examples.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { foldFiles, loadScaling } from '../training/foldFiles.ts'
import type { ImageEncoder } from '../training/imageEncoder.ts'
import { foldFolder } from '../training/foldTest.ts'
import type { Embeddings } from './similarity.ts'
import { unitRows } from './similarity.ts'
import { topK } from './topk.ts'
import type { Neighbours } from './topk.ts'

/** Where the candidates come from: a subject's distinct stimuli, or pictures (n, H, W, C) uint8 in an .npy file. */
export type GallerySource = { subjectFolder: string } | { pictures: string }

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
  const pictures = await openGallery(job.gallery)
  try {
    const neighbours = await topK(brain, embedGallery(pictures, job, options), job.top)
    if (job.embeddings !== undefined) {
      const { count, width, data } = brain
      writeFileAtomic(
        job.embeddings,
        encodeNpy({ dtype: 'float32', shape: [count, width], data: Float32Array.from(data) }),
      )
    }
    return { width: brain.width, gallery: pictures.count, neighbours, z }
  } finally {
    pictures.close()
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

/** The embeddings of a gallery, block by block as unit rows; each is disposed when the next is asked for. */
async function* embedGallery(
  pictures: Gallery,
  { runFolder, fold, config, networks }: DecodeJob,
  { signal, progress }: RunOptions,
): AsyncGenerator<tf.Tensor2D> {
  let encoder: ImageEncoder | undefined
  try {
    for (let at = 0; at < pictures.count; at += PICTURES_AT_ONCE) {
      signal.throwIfAborted()
      const block = pictures.read(at, Math.min(pictures.count, at + PICTURES_AT_ONCE))
      encoder ??= await openEncoder(config, networks, foldFiles(foldFolder(runFolder, fold)).encoder, block)
      const width = encoder.tokens * encoder.width
      const rows = unitRows({ count: block.count, width, data: await encodePictures(encoder, block, config) }, at)
      try {
        yield rows
      } finally {
        rows.dispose()
      }
      progress({ phase: 'embed the gallery', done: at + block.count, total: pictures.count })
    }
  } finally {
    encoder?.dispose()
  }
}

/** At least one picture, read in blocks. */
interface Gallery {
  count: number
  read(start: number, stop: number): StimulusImages
  close(): void
}

const openGallery = async (gallery: GallerySource): Promise<Gallery> =>
  'pictures' in gallery ? openPictures(gallery.pictures) : openStimuli(gallery.subjectFolder)

async function openStimuli(subjectFolder: string): Promise<Gallery> {
  const subject = await openSubject(subjectFolder)
  const read = (start: number, stop: number) =>
    subject.readImages(Array.from({ length: stop - start }, (_, i) => start + i))
  return { count: subject.stimuli.ids.length, read, close: () => subject.close() }
}

function openPictures(path: string): Gallery {
  const file = openNpy(openFile(path))
  const [entry] = file.arrays
  const [count, height, width, channels] = entry.shape
  return {
    count,
    read(start, stop) {
      const data = entry.readRows(start, stop).data as Uint8Array
      return { count: stop - start, height, width, channels: channels as 1 | 3, data }
    },
    close: () => file.close(),
  }
}
