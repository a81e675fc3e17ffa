import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import type { Fold } from '../subjects/splits.ts'
import type { Subject } from '../subjects/subject.ts'
import { loadDecoder } from './decoder.ts'
import { encodeStimuli } from './encoder.ts'
import type { VoxelScaling } from './examples.ts'
import { averagedVoxels, groupItems } from './examples.ts'
import type { TrainingConfig } from './fields.ts'
import { foldFiles, loadTest, saveTest } from './foldFiles.ts'
import type { TestEmbeddings } from './foldFiles.ts'
import type { ImageEncoder } from './imageEncoder.ts'

export const foldFolder = (runFolder: string, fold: number): string => join(runFolder, 'folds', String(fold))

/** A fold whose decoder is trained. */
export interface TestedFold {
  subject: Subject
  fold: Fold
  /** All distinct held-out stimuli of the run, so that folds are scored in one pool. */
  pool: Int32Array
  folder: string
  config: TrainingConfig
}

/** Embeds the held-out trials with the fold's decoder as saved, and the images of the pool: what scores are computed from. */
export async function writeTest(
  { subject, fold, pool, folder, config }: TestedFold,
  scaling: VoxelScaling,
  encoder: ImageEncoder,
): Promise<void> {
  const files = foldFiles(folder)
  const image = await encodeStimuli(encoder, (stimuli) => subject.readImages(stimuli), pool, config)
  const decoder = loadDecoder(files.model, config, subject.manifest.voxelCount)
  const test = groupItems(subject.trials, fold.test, config.items)
  const brain = decoder.predict(averagedVoxels(subject, scaling, test))
  const trial = Int32Array.from({ length: test.count }, (_, i) => test.trial[i * test.repeats])
  saveTest(files.test, { width: encoder.tokens * encoder.width, brain, image, seen: test.stimulus, trial, pool })
  decoder.dispose()
}

/** What every fold of a finished run says about its held-out trials. */
export function loadRunTest(runFolder: string): TestEmbeddings[] {
  const tests: TestEmbeddings[] = []
  for (let fold = 0; existsSync(foldFiles(foldFolder(runFolder, fold)).test); fold++)
    tests.push(loadTest(foldFiles(foldFolder(runFolder, fold)).test))
  if (tests.length) return tests
  throw new MindEyeError({
    kind: 'state',
    where: runFolder,
    expected: 'embeddings of held-out trials and their images',
    found: 'none',
    fix: 'Finish the run with `mindeye train --resume`; an imported model gets them when it is imported with --pack.',
  })
}
