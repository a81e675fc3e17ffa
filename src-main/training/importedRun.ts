import { mkdirSync } from 'node:fs'
import type { Fold } from '../subjects/splits.ts'
import { makeFolds } from '../subjects/splits.ts'
import type { TrialTable } from '../subjects/subject.ts'
import { openSubject } from '../subjects/subject.ts'
import { openPretrained } from './encoder.ts'
import { fitScaling } from './examples.ts'
import { foldFiles, saveScaling } from './foldFiles.ts'
import { foldFolder, writeTest } from './foldTest.ts'
import type { TrainingJob } from './run.ts'

/**
 * The one fold of a model that was trained elsewhere: the split's own where it is one, else every trial is one that the model has
 * not seen.
 */
export function importedFold(trials: TrialTable, split: string, seed: number): Fold {
  const folds = makeFolds(trials, split, seed)
  if (folds.length === 1) return folds[0]
  const all = Int32Array.from({ length: trials.count }, (_, row) => row)
  return { name: 'all', train: all, test: all }
}

/**
 * Completes the run of a model that was trained elsewhere, whose weights lie in its fold already: the z-scoring of its voxels and,
 * where the pack has CLIP's image tower, what scores are computed from. Returns how many trials it was asked about.
 */
export async function completeImport({
  runFolder,
  subjectFolder,
  config,
  split,
  seed,
  networks,
}: TrainingJob): Promise<{ embedded: number }> {
  const subject = await openSubject(subjectFolder)
  const folder = foldFolder(runFolder, 0)
  mkdirSync(folder, { recursive: true })
  try {
    const fold = importedFold(subject.trials, split, seed)
    const scaling = fitScaling(subject, fold.train, config.zscore)
    saveScaling(foldFiles(folder).scaling, scaling)
    const encoder = openPretrained(config, networks)
    if (!encoder) return { embedded: 0 }
    const pool = Int32Array.from(new Set(Array.from(fold.test, (row) => subject.trials.stimulus[row])))
    try {
      await writeTest({ subject, fold, pool, folder, config }, scaling, encoder)
    } finally {
      encoder.dispose()
    }
    return { embedded: fold.test.length }
  } finally {
    subject.close()
  }
}
