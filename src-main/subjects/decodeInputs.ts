import { relative } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { openAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { npyHeader } from '../formats/npy.ts'
import { Inventory } from './inventory.ts'
import { openNewTrials } from './newTrials.ts'
import { filePictures, type ImageShape } from './pictures.ts'
import type { Mapping } from './study.ts'

const BLOCK_BYTES = 64 * 2 ** 20

/** What was read for decoding. */
export interface NewTrialsFile {
  count: number
  /** What the trials were taken from, in words. */
  source: string
  /** Values that are NaN or infinite. */
  notFinite: number
}

/** Copies new trials into `file`, .npy (trials, V) float32, in blocks. */
export async function writeNewTrials(
  { paths, map, voxelCount, file }: { paths: readonly string[]; map: Mapping; voxelCount: number; file: string },
  { signal, progress }: RunOptions,
): Promise<NewTrialsFile> {
  const trials = await openNewTrials(paths, map, voxelCount)
  try {
    const { count, source } = trials
    if (!count)
      throw new MindEyeError({ kind: 'input', where: paths.join(', '), expected: 'at least one trial', found: 'none' })
    let notFinite = 0
    const rows = Math.max(1, Math.floor(BLOCK_BYTES / (4 * voxelCount)))
    await writeBlocks(file, npyHeader('float32', [count, voxelCount]), count, rows, async (start, stop) => {
      signal.throwIfAborted()
      progress({ phase: 'read the trials', done: start, total: count })
      const block = await trials.read(start, stop)
      for (const value of block) if (!Number.isFinite(value)) notFinite++
      return block
    })
    return { count, source, notFinite }
  } finally {
    trials.close()
  }
}

/**
 * Copies the pictures of a folder into `file`, .npy (n, H, W, C) uint8 of the given shape: each is cropped around its centre
 * and resized. Returns their names, relative to the folder. Throws when there are none or one is damaged.
 */
export async function writeGallery(
  { folder, image, file }: { folder: string; image: ImageShape; file: string },
  { signal, progress }: RunOptions,
): Promise<string[]> {
  const inventory = new Inventory([folder])
  try {
    const found = inventory.images()
    if (!found.length)
      throw new MindEyeError({
        kind: 'input',
        where: '--gallery',
        expected: 'a folder with PNG, JPEG, WebP or TIFF pictures',
        found: `${folder}, with ${inventory.files.length} other files`,
      })
    const { height, width, channels } = image
    const pictures = await filePictures(found, image)
    const header = npyHeader('uint8', [found.length, height, width, channels])
    const rows = Math.max(1, Math.min(64, Math.floor(BLOCK_BYTES / (height * width * 3))))
    await writeBlocks(file, header, found.length, rows, async (start, stop) => {
      signal.throwIfAborted()
      progress({ phase: 'read the gallery', done: start, total: found.length })
      const colour = await pictures.read(Array.from({ length: stop - start }, (_, i) => start + i))
      return channels === 3 ? colour : greyOf(colour)
    })
    return found.map(({ path }) => relative(folder, path))
  } finally {
    inventory.close()
  }
}

async function writeBlocks(
  path: string,
  header: Uint8Array,
  count: number,
  rows: number,
  block: (start: number, stop: number) => Promise<Uint8Array | Float32Array>,
): Promise<void> {
  const file = openAtomic(path)
  try {
    file.write(header)
    for (let start = 0; start < count; start += rows) {
      const { buffer, byteOffset, byteLength } = await block(start, Math.min(count, start + rows))
      file.write(new Uint8Array(buffer, byteOffset, byteLength))
    }
  } catch (error) {
    file.discard()
    throw error
  }
  file.commit()
}

/** Luma (ITU-R BT.601) of interleaved RGB; grey pictures come back as they were. */
function greyOf(colour: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: colour.length / 3 }, (_, i) =>
    Math.round(0.299 * colour[3 * i] + 0.587 * colour[3 * i + 1] + 0.114 * colour[3 * i + 2]),
  )
}
