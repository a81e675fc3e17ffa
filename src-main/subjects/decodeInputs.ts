import { MindEyeError } from '../base/errors.ts'
import { openAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { npyHeader } from '../formats/npy.ts'
import { openNewTrials } from './newTrials.ts'
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
