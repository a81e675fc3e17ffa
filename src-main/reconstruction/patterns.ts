import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { ownRepeats } from '../retrieval/repeats.ts'
import type { HeldOutJob, RunPlace } from '../retrieval/repeats.ts'
import type { Fold } from '../subjects/splits.ts'
import { makeFolds } from '../subjects/splits.ts'
import type { Subject } from '../subjects/subject.ts'
import { readSubjectArray } from '../subjects/subject.ts'
import type { VoxelScaling } from '../training/examples.ts'
import { averagedVoxels, groupItems } from '../training/examples.ts'
import { foldFiles, loadScaling } from '../training/foldFiles.ts'
import { foldFolder } from '../training/foldTest.ts'
import { importedFold } from '../training/importedRun.ts'

/** Stage 1: which brain patterns a run holds out, and their voxels as its fold z-scores them. */

/** A held-out brain pattern: the mean of an image's trials, or one trial. */
export interface Pattern {
  /** First row in the trial table, by which it is called. */
  trial: number
  /** Index of the seen stimulus. */
  stimulus: number
  fold: number
  /** All rows that are averaged. */
  rows: Int32Array
}

/** The folds of a finished run; a model that was trained elsewhere has one. */
export function runFolds({ runFolder, split, seed }: RunPlace, subject: Subject): Fold[] {
  const count = readdirSync(join(runFolder, 'folds')).filter((name) => /^\d+$/.test(name)).length
  return count === 1 ? [importedFold(subject.trials, split, seed)] : makeFolds(subject.trials, split, seed)
}

/** Every held-out pattern of a run, fold by fold. */
export function heldOutPatterns(job: HeldOutJob, subject: Subject): Pattern[] {
  const { repeats = ownRepeats(job.config) } = job
  return runFolds(job, subject).flatMap(({ test }, fold) => {
    const items = groupItems(subject.trials, test, repeats === 'average' ? 'stimulus' : 'trial')
    return Array.from({ length: items.count }, (_, i): Pattern => {
      const rows = items.trial.slice(i * items.repeats, (i + 1) * items.repeats)
      return { trial: rows[0], stimulus: items.stimulus[i], fold, rows }
    })
  })
}

/** Those of the given trials; a trial that was averaged with others stands for all of them. Throws for one that was not held out. */
export function choosePatterns(patterns: readonly Pattern[], trials: readonly number[] | undefined): Pattern[] {
  if (!trials) return [...patterns]
  const chosen = trials.map((trial) => {
    const found =
      patterns.find((pattern) => pattern.trial === trial) ?? patterns.find(({ rows }) => rows.includes(trial))
    if (found) return found
    throw new MindEyeError({
      kind: 'input',
      where: '--trials',
      expected: `held-out trials of this run, e.g. ${patterns
        .slice(0, 5)
        .map((pattern) => pattern.trial)
        .join(',')}`,
      found: `${trial}`,
      fix: 'Leave --trials out to take them all.',
    })
  })
  return [...new Set(chosen)]
}

/** The fold of another run that holds out all trials of a pattern; throws where it was trained on some of them. */
export function foldHoldingOut(folds: readonly Fold[], { trial, rows }: Pattern, run: string): number {
  const fold = folds.findIndex(({ test }) => rows.every((row) => test.includes(row)))
  if (fold >= 0) return fold
  throw new MindEyeError({
    kind: 'input',
    where: '--low-run',
    expected: `a run that holds out trial ${trial}, too`,
    found: `that ${run} was trained on it`,
    fix: 'Train it with the same --split and --seed.',
  })
}

/** Reads z-scored voxels (V) of patterns. Voxels of the areas in `without` are 0, their mean over the training trials. */
export function voxelReader(
  { runFolder }: RunPlace,
  subject: Subject,
  subjectFolder: string,
  without: readonly string[] = [],
): (pattern: Pick<Pattern, 'fold' | 'rows' | 'stimulus'>) => Float32Array {
  const scalings = new Map<number, VoxelScaling>()
  const silent = silentVoxels(subject, subjectFolder, without)
  return ({ fold, rows, stimulus }) => {
    const scaling = scalings.get(fold) ?? loadScaling(foldFiles(foldFolder(runFolder, fold)).scaling)
    scalings.set(fold, scaling)
    const item = { count: 1, repeats: rows.length, trial: rows, stimulus: Int32Array.of(stimulus) }
    const voxels = averagedVoxels(subject, scaling, item)
    return voxels.map((value, voxel) => (silent?.[voxel] ? 0 : value))
  }
}

/** 1 for each voxel of the named areas, (V); undefined without any. Throws for an area that the subject does not have. */
function silentVoxels({ manifest }: Subject, folder: string, names: readonly string[]): Uint8Array | undefined {
  if (!names.length) return undefined
  const known = manifest.rois.map(({ name }) => name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new MindEyeError({
      kind: 'input',
      where: '--without',
      expected: known.length ? `areas of ${manifest.id}: ${known.join(', ')}` : 'a subject with areas',
      found: `'${unknown}'`,
    })
  const { data } = readSubjectArray(folder, 'rois.npy')!
  const { voxelCount } = manifest
  const silent = new Uint8Array(voxelCount)
  for (const name of names) {
    const start = known.indexOf(name) * voxelCount
    for (let voxel = 0; voxel < voxelCount; voxel++) if (data[start + voxel]) silent[voxel] = 1
  }
  return silent
}
