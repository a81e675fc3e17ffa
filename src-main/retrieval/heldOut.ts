import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import type { NdArray } from '../formats/array.ts'
import { encodeSafetensors } from '../formats/safetensors.ts'
import { makeFolds } from '../subjects/splits.ts'
import { openSubject } from '../subjects/subject.ts'
import { loadDecoder } from '../training/decoder.ts'
import { averagedVoxels, groupItems } from '../training/examples.ts'
import { foldFiles, loadScaling, readArrays } from '../training/foldFiles.ts'
import type { TestEmbeddings } from '../training/foldFiles.ts'
import { foldFolder, loadRunTest } from '../training/foldTest.ts'
import { importedFold } from '../training/importedRun.ts'
import { ownRepeats } from './repeats.ts'
import type { HeldOutJob } from './repeats.ts'

export interface HeldOut {
  /** One entry per fold. */
  folds: TestEmbeddings[]
  /** Some image has several trials in one fold, so that averages and single trials differ. */
  isRepeated: boolean
}

/** Embeddings of the held-out patterns of every fold; those that the run did not keep are made by its own decoders. */
export async function heldOutEmbeddings(job: HeldOutJob): Promise<HeldOut> {
  const tests = loadRunTest(job.runFolder)
  const { config, runFolder, subjectFolder, split, seed, repeats = ownRepeats(config) } = job
  const subject = await openSubject(subjectFolder)
  try {
    const { trials, manifest } = subject
    const folds = tests.length === 1 ? [importedFold(trials, split, seed)] : makeFolds(trials, split, seed)
    const isRepeated = folds.some(({ test }) => new Set(test.map((row) => trials.stimulus[row])).size < test.length)
    if (repeats === ownRepeats(config)) return { folds: tests, isRepeated }
    const remade = tests.map((test, i) => {
      const files = foldFiles(foldFolder(runFolder, i))
      const items = groupItems(trials, folds[i].test, repeats === 'average' ? 'stimulus' : 'trial')
      const decoder = loadDecoder(files.model, config, manifest.voxelCount)
      try {
        const brain = decoder.predict(averagedVoxels(subject, loadScaling(files.scaling), items))
        const trial = Int32Array.from({ length: items.count }, (_, item) => items.trial[item * items.repeats])
        return { ...test, brain, seen: items.stimulus, trial }
      } finally {
        decoder.dispose()
      }
    })
    return { folds: remade, isRepeated }
  } finally {
    subject.close()
  }
}

/** Names what was made from a finished run, so that nothing made from other files of it is taken for it. */
export function runKey(runFolder: string): string {
  const hash = createHash('sha256')
  for (let fold = 0; existsSync(foldFiles(foldFolder(runFolder, fold)).test); fold++) {
    const { test, model } = foldFiles(foldFolder(runFolder, fold))
    for (const path of [test, model]) {
      const stat = statSync(path, { throwIfNoEntry: false })
      hash.update(`${path.slice(runFolder.length)} ${stat?.size} ${stat?.mtimeMs}\n`)
    }
  }
  return hash.digest('hex').slice(0, 12)
}

const keptPath = (runFolder: string, name: string): string =>
  join(runFolder, 'retrieval', `${name}-${runKey(runFolder)}.safetensors`)

/** Arrays made from a finished run, if they were kept. */
export function readKept(runFolder: string, name: string): Map<string, NdArray> | undefined {
  const path = keptPath(runFolder, name)
  return existsSync(path) ? readArrays(path) : undefined
}

/** Arrays made from a finished run, kept in `RUN/retrieval`, which may be deleted at any time; made anew when they are not there. */
export async function keptWithRun(
  runFolder: string,
  name: string,
  make: () => Promise<Record<string, NdArray>>,
): Promise<Map<string, NdArray>> {
  const kept = readKept(runFolder, name)
  if (kept) return kept
  const path = keptPath(runFolder, name)
  const made = await make()
  mkdirSync(dirname(path), { recursive: true })
  writeFileAtomic(path, encodeSafetensors(made))
  return new Map(Object.entries(made))
}
