import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolds, type SplitOffer } from './splits.ts'
import { readSubjectArray, type Subject, type SubjectManifest, type TrialTable } from './subject.ts'

/** Everything about a subject that a page shows at a glance, counted from its tables. */
export interface SubjectProfile {
  manifest: SubjectManifest
  /** Scan days in order, -1 where unknown. */
  sessions: { session: number; trials: number; runs: number; train: number; test: number }[]
  /** How many images were shown so many times, ascending. */
  repeats: { times: number; images: number }[]
  /** Voxels by noise ceiling, in bins of equal width from 0 to 1. */
  ceilingHistogram?: number[]
  rois: {
    name: string
    voxels: number
    /** Mean noise ceiling of its voxels, a fraction of variance; null without repeats or voxels. */
    noiseCeiling: number | null
  }[]
  /** What it can be split by; the smallest and the largest number of trials over the folds. */
  splits: (SplitOffer & { train: Range; test: Range })[]
  /** On disk: the subject's own folder, without its sources. */
  bytes: number
  sourceBytes: number
}

type Range = [low: number, high: number]

export const CEILING_BINS = 50

/** Counts a subject's tables; `folder` is its place in the workspace. */
export function profileOf({ manifest, trials }: Subject, folder: string): SubjectProfile {
  const ceiling = readSubjectArray(folder, 'noiseCeiling.npy')?.data as Float32Array | undefined
  return {
    manifest,
    sessions: sessionsOf(trials),
    repeats: repeatsOf(trials),
    ceilingHistogram: ceiling && histogramOf(ceiling),
    rois: roisOf(manifest, folder, ceiling),
    splits: manifest.splits.map((offer) => ({ ...offer, ...sizesOf(trials, offer) })),
    bytes: bytesIn(folder),
    sourceBytes: manifest.sources.reduce((sum, { size }) => sum + size, 0),
  }
}

function sessionsOf(trials: TrialTable): SubjectProfile['sessions'] {
  const found = new Map<number, { trials: number; runs: Set<number>; train: number; test: number }>()
  for (let row = 0; row < trials.count; row++) {
    const session = trials.session[row]
    let entry = found.get(session)
    if (!entry) found.set(session, (entry = { trials: 0, runs: new Set(), train: 0, test: 0 }))
    entry.trials++
    if (trials.run[row] >= 0) entry.runs.add(trials.run[row])
    if (trials.part[row] === 0) entry.train++
    if (trials.part[row] === 1) entry.test++
  }
  return [...found]
    .map(([session, entry]) => ({ session, ...entry, runs: entry.runs.size }))
    .sort((a, b) => a.session - b.session)
}

function repeatsOf(trials: TrialTable): SubjectProfile['repeats'] {
  const shown = new Map<number, number>()
  for (const stimulus of trials.stimulus) shown.set(stimulus, (shown.get(stimulus) ?? 0) + 1)
  const images = new Map<number, number>()
  for (const times of shown.values()) images.set(times, (images.get(times) ?? 0) + 1)
  return [...images].map(([times, images]) => ({ times, images })).sort((a, b) => a.times - b.times)
}

function histogramOf(ceiling: Float32Array): number[] {
  const counts = new Array<number>(CEILING_BINS).fill(0)
  for (const value of ceiling) counts[Math.min(CEILING_BINS - 1, Math.max(0, Math.floor(value * CEILING_BINS)))]++
  return counts
}

function roisOf({ rois, voxelCount }: SubjectManifest, folder: string, ceiling?: Float32Array): SubjectProfile['rois'] {
  // (R, V) of 0 and 1
  const masks = rois.length && ceiling ? (readSubjectArray(folder, 'rois.npy')?.data as Uint8Array) : undefined
  return rois.map(({ name, voxels }, r) => {
    let sum = 0
    if (masks && ceiling) for (let v = 0; v < voxelCount; v++) if (masks[r * voxelCount + v]) sum += ceiling[v]
    return { name, voxels, noiseCeiling: masks && voxels ? sum / voxels : null }
  })
}

function sizesOf(trials: TrialTable, { split, possible }: SplitOffer): { train: Range; test: Range } {
  const train: Range = [Infinity, 0]
  const test: Range = [Infinity, 0]
  if (!possible) return { train: [0, 0], test: [0, 0] }
  for (const fold of makeFolds(trials, split, 0)) {
    widen(train, fold.train.length)
    widen(test, fold.test.length)
  }
  return { train, test }
}

function widen(range: Range, n: number): void {
  range[0] = Math.min(range[0], n)
  range[1] = Math.max(range[1], n)
}

function bytesIn(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
  return bytes
}
