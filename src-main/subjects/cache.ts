import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DType } from '../formats/array.ts'
import { MindEyeError } from '../base/errors.ts'
import { disk, removeFolder, stageFolder, sweepTemporary, writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { npyHeader } from '../formats/npy.ts'
import { type Facts, gatherFacts } from './facts.ts'
import { verifySource } from './fingerprint.ts'
import { openStudy } from './layouts/index.ts'
import type { Study } from './study.ts'
import type { SubjectManifest } from './subject.ts'
import { encodeStatistics } from './voxelStatistics.ts'

/** An .npy file written block by block. */
class NpyWriter {
  private readonly fd: number
  private readonly start: number
  private at: number

  constructor(path: string, dtype: DType, shape: number[]) {
    this.fd = disk.open(path, 'wx')
    const header = npyHeader(dtype, shape)
    this.start = this.put(header, 0)
    this.at = this.start
  }

  append(block: Float32Array | Uint8Array): void {
    this.at += this.put(block, this.at)
  }

  /** Overwrites elements from `offset` (bytes after the header). */
  patch(block: Float32Array, offset: number): void {
    this.put(block, this.start + offset)
  }

  private put(block: Float32Array | Uint8Array, position: number): number {
    const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength)
    for (let done = 0; done < bytes.length;)
      done += disk.write(this.fd, bytes, done, bytes.length - done, position + done)
    return bytes.length
  }

  close(): void {
    disk.close(this.fd)
  }
}

/**
 * Reads the whole study once in blocks, writing `voxels.npy` (trials, V) float32, `stimuli.npy` (n, H, W, C) uint8 and
 * `statistics.npy` (2, V) into `dir`. A value that is not finite becomes its voxel's mean over the finite trials. Returns what the pass found.
 */
export async function writeCache(study: Study, dir: string, options: RunOptions): Promise<Facts> {
  disk.mkdir(dir, { recursive: true })
  const V = study.voxelCount
  const { height, width, channels } = study.image
  const voxels = new NpyWriter(join(dir, 'voxels.npy'), 'float32', [study.trials.count, V])
  const images = new NpyWriter(join(dir, 'stimuli.npy'), 'uint8', [study.stimuli.ids.length, height, width, channels])
  const broken: number[] = []
  let seen = 0
  try {
    const facts = await gatherFacts(study, options, {
      voxels(block) {
        for (let i = 0; i < block.length; i++) if (!Number.isFinite(block[i])) broken.push(seen + i)
        seen += block.length
        voxels.append(block)
      },
      images: (block) => images.append(block),
    })
    for (const at of broken) voxels.patch(Float32Array.of(facts.voxels.mean[at % V]), at * 4)
    writeFileAtomic(join(dir, 'statistics.npy'), encodeStatistics(facts.voxels.mean, facts.voxels.sd))
    return facts
  } finally {
    voxels.close()
    images.close()
  }
}

/** Whether both files of a subject's cache exist; they appear together. */
export function cacheIsThere(dir: string): boolean {
  return ['voxels.npy', 'stimuli.npy'].every((name) => existsSync(join(dir, 'cache', name)))
}

/** Makes a deleted cache again from the sources; throws a state error when they have moved or changed since import. */
export async function rebuildCache(dir: string, manifest: SubjectManifest): Promise<void> {
  for (const source of manifest.sources) verifySource(source)
  const opened = await openStudy(
    manifest.sources.map((source) => source.path),
    manifest.map,
    manifest.layout,
  )
  sweepTemporary(dir)
  const cache = join(dir, 'cache')
  const staged = stageFolder(cache)
  try {
    const { study } = opened
    if (study.trials.count !== manifest.trialCount || study.voxelCount !== manifest.voxelCount)
      throw new MindEyeError({
        kind: 'state',
        where: dirname(manifest.sources[0].path),
        expected: `${manifest.trialCount} trials of ${manifest.voxelCount} voxels, as imported`,
        found: `${study.trials.count} trials of ${study.voxelCount} voxels`,
        fix: 'Import the data again.',
      })
    await writeCache(study, staged.folder, { signal: new AbortController().signal, progress: () => {} })
    // Another process had the same need and was faster.
    if (cacheIsThere(dir)) return
    // Half a cache: somebody deleted one of its two files.
    if (existsSync(cache)) removeFolder(cache)
    staged.commit()
  } finally {
    opened.close()
    staged.discard()
  }
}
