import type { RunOptions } from '../base/progress.ts'
import { writeRows } from '../formats/growingNpy.ts'
import { openNpy } from '../formats/npy.ts'
import { openFile } from '../formats/source.ts'
import type { StimulusImages } from '../subjects/subject.ts'
import type { Networks } from '../training/encoder.ts'
import { encodePictures, openEncoder } from '../training/encoder.ts'
import type { TrainingConfig } from '../training/fields.ts'
import type { ImageEncoder } from '../training/imageEncoder.ts'

/** A slice of a gallery's pictures to be embedded by one encoder or several. */
export interface GallerySliceJob {
  config: TrainingConfig
  /** Of the run's pack. */
  networks: Networks
  /** `.npy`, (n, H, W, C) uint8. */
  pictures: string
  /** Number of the slice's first picture in the gallery. */
  first: number
  /** Pictures of the whole gallery. */
  count: number
  /** The study's own encoder file (unused with CLIP) and the `.npy` (count, N) to write into. */
  encoders: { encoder: string; embeddings: string }[]
}

/** Encoders opened for a gallery, by file: the process is the gallery's own and ends with it. */
const opened = new Map<string, ImageEncoder>()

/** Embeds a slice into each encoder's file. */
export async function embedGallerySlice(
  { config, networks, pictures, first, count, encoders }: GallerySliceJob,
  { signal }: RunOptions,
): Promise<{ width: number }> {
  const images = readPictures(pictures)
  let width = 0
  for (const { encoder: file, embeddings } of encoders) {
    signal.throwIfAborted()
    let encoder = opened.get(file)
    if (!encoder) opened.set(file, (encoder = await openEncoder(config, networks, file, images)))
    width = encoder.tokens * encoder.width
    writeRows(embeddings, 'float32', [count, width], first, await embed(encoder, images, config))
  }
  return { width }
}

const PICTURES_AT_ONCE = 32

async function embed(encoder: ImageEncoder, images: StimulusImages, config: TrainingConfig): Promise<Float32Array> {
  const width = encoder.tokens * encoder.width
  const size = images.height * images.width * images.channels
  const out = new Float32Array(images.count * width)
  for (let at = 0; at < images.count; at += PICTURES_AT_ONCE) {
    const count = Math.min(PICTURES_AT_ONCE, images.count - at)
    const data = images.data.subarray(at * size, (at + count) * size)
    out.set(await encodePictures(encoder, { ...images, count, data }, config), at * width)
  }
  return out
}

function readPictures(path: string): StimulusImages {
  const file = openNpy(openFile(path))
  try {
    const [entry] = file.arrays
    const [count, height, width, channels] = entry.shape
    return { count, height, width, channels: channels as 1 | 3, data: entry.read().data as Uint8Array }
  } finally {
    file.close()
  }
}
