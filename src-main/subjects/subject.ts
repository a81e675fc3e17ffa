import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NdArray } from '../formats/array.ts'
import { MindEyeError, formatError } from '../base/errors.ts'
import { openNpy } from '../formats/npy.ts'
import { openFile } from '../formats/source.ts'
import type { Check } from './checks.ts'
import type { SourceRecord } from './fingerprint.ts'
import { cacheIsThere, rebuildCache } from './cache.ts'
import { openRows } from './rows.ts'
import type { SplitOffer } from './splits.ts'
import type { Side } from './surfaces/hemisphere.ts'
import type { StoredSurfaces } from './surfaces/stored.ts'
import { readStimulusTable, readTrialTable } from './tables.ts'

/** One row per presentation. */
export interface TrialTable {
  count: number
  /** Index into the stimuli. */
  stimulus: Int32Array
  /** Shipped split: 0 train, 1 test, -1 none. */
  part: Int8Array
  /** Scan day, -1 unknown. */
  session: Int32Array
  /** Scanner run, unique across sessions; -1 unknown. */
  run: Int32Array
}

export interface StimulusTable {
  /** 73k id where the dataset has them, else a name of our own such as `image-0007`. */
  ids: string[]
}

/** Pictures as seen, upright: `data` is (count, height, width, channels) in C order. */
export interface StimulusImages {
  count: number
  height: number
  width: number
  channels: 1 | 3
  data: Uint8Array
}

/** Explained-variance ceiling from repeats, over voxels; each value is a fraction of variance in [0, 1]. */
export interface NoiseCeilingSummary {
  stimuliWithRepeats: number
  repeats: number
  mean: number
  median: number
  best: number
}

export interface SubjectManifest {
  version: 1
  id: string
  layout: string
  layoutTitle: string
  /** The explicit mapping given at import, needed to read the sources again. */
  map: Record<string, string>
  sources: SourceRecord[]
  trialCount: number
  trainTrials: number
  testTrials: number
  stimulusCount: number
  sessionCount: number
  runCount: number
  voxelCount: number
  image: { height: number; width: number; channels: 1 | 3 }
  rois: { name: string; voxels: number }[]
  /** Volume geometry where known: grid size and the row-major 4x4 voxel-to-mm matrix. */
  volume?: { shape: number[]; affine: number[] }
  noiseCeiling?: NoiseCeilingSummary
  /** Surfaces of the cortex, and when they came (ISO 8601); they may come after the import. */
  surfaces?: { source: StoredSurfaces['source']; attached: string; vertices: Partial<Record<Side, number>> }
  checks: Check[]
  splits: SplitOffer[]
  /** The split used unless another is asked for. */
  defaultSplit: string
}

export interface Subject {
  manifest: SubjectManifest
  trials: TrialTable
  stimuli: StimulusTable
  /** (rows.length, V) in C order, as imported: not z-scored. */
  readVoxels(rows: ArrayLike<number>): Float32Array
  readImages(stimuli: ArrayLike<number>): StimulusImages
  close(): void
}

/** The manifest alone: enough for lists and checks, without opening the caches. */
export function readManifest(dir: string): SubjectManifest {
  const path = join(dir, 'subject.json')
  if (!existsSync(path))
    throw new MindEyeError({
      kind: 'state',
      where: dir,
      expected: 'an imported subject (subject.json)',
      found: 'none',
      fix: 'Import it with `mindeye import`.',
    })
  let manifest: SubjectManifest
  try {
    manifest = JSON.parse(readFileSync(path, 'utf8')) as SubjectManifest
  } catch (error) {
    throw formatError(path, 'manifest', 'JSON', (error as Error).message, 'The file is damaged: import the data again.')
  }
  if (manifest.version !== 1)
    throw formatError(
      path,
      'version',
      '1',
      String(manifest.version),
      'It was written by another version; import again.',
    )
  return manifest
}

/** The trials alone, e.g. to see whether a split is possible. */
export const readTrials = (dir: string, { trialCount }: SubjectManifest): TrialTable =>
  readTrialTable(join(dir, 'trials.tsv'), trialCount)

/** An array of the subject folder, e.g. `rois.npy` (R, V), `positions.npy` (V, 3) in mm or `noiseCeiling.npy` (V); undefined when absent. */
export function readSubjectArray(dir: string, name: string): NdArray | undefined {
  const path = join(dir, name)
  if (!existsSync(path)) return undefined
  const file = openNpy(openFile(path))
  try {
    return file.arrays[0].read()
  } finally {
    file.close()
  }
}

/**
 * Opens an imported subject. When its cache was deleted it is rebuilt from the sources, which must still be where they were
 * and still have the fingerprint recorded at import.
 */
export async function openSubject(dir: string): Promise<Subject> {
  const manifest = readManifest(dir)
  const { trialCount, voxelCount, stimulusCount, image } = manifest
  const voxelPath = join(dir, 'cache', 'voxels.npy')
  const imagePath = join(dir, 'cache', 'stimuli.npy')
  if (!cacheIsThere(dir)) await rebuildCache(dir, manifest)
  const trials = readTrials(dir, manifest)
  const stimuli = readStimulusTable(join(dir, 'stimuli.tsv'), stimulusCount)
  const voxels = openRows(voxelPath, 'float32', [trialCount, voxelCount])
  const images = openRows(imagePath, 'uint8', [stimulusCount, image.height, image.width, image.channels])
  return {
    manifest,
    trials,
    stimuli,
    readVoxels(rows) {
      const out = new Float32Array(rows.length * voxelCount)
      voxels.gather(rows, out)
      return out
    },
    readImages(indices) {
      const data = new Uint8Array(indices.length * images.width)
      images.gather(indices, data)
      return { count: indices.length, ...image, data }
    },
    close() {
      voxels.close()
      images.close()
    },
  }
}
