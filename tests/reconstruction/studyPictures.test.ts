import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { MindEyeError } from '../../src-main/base/errors.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { heldOutPatterns, voxelReader } from '../../src-main/reconstruction/patterns.ts'
import type { ReconstructionJob } from '../../src-main/reconstruction/reconstruct.ts'
import { reconstruct } from '../../src-main/reconstruction/reconstruct.ts'
import { findSet, readPicture, readTrial } from '../../src-main/reconstruction/sets.ts'
import { openStudyReconstructor } from '../../src-main/reconstruction/study.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { openSubject } from '../../src-main/subjects/subject.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { runTraining } from '../../src-main/training/run.ts'
import { figures, quietly, temporaryFolder, writeSmallStudy } from '../subjects/support.ts'

beforeAll(() => loadBackend())

const side = 8
const common = { strength: 0.85, guidance: 3.5, candidates: 1, steps: 20, seed: 42 }

async function trained(pictures: boolean) {
  const home = temporaryFolder()
  const [subjectFolder, runFolder] = [join(home, 'subject'), join(home, 'run')]
  mkdirSync(runFolder)
  const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 6)
  const study = { train: shown(12), test: shown(6), V: 12, figures: figures(6, side), side }
  await importPaths([writeSmallStudy(home, study).path], { id: 's', map: {} }, subjectFolder, quietly())
  const short = { hidden: '8', projectorHidden: '8', width: '4', epochs: '1', encoderSteps: '4' }
  const config = presetConfig('small-study', { ...short, pictures: `${pictures}` })
  const run = { runFolder, subjectFolder, config, split: 'shipped', seed: 1 }
  await runTraining({ ...run, networks: {} }, quietly())
  const kinds: ReconstructionJob['settings']['kinds'] = ['low', 'high', 'combined']
  const job: ReconstructionJob = { ...common, run, kinds, settings: { kinds, repeats: 'single' } }
  return { run, job }
}

test('a small study’s run makes its pictures by itself, in three channels', async () => {
  const { run, job } = await trained(true)
  const some = await reconstruct({ ...job, trials: [13, 16] }, quietly())
  expect(some).toMatchObject({ trials: [13, 16], made: 2 })
  const all = await reconstruct(job, quietly())
  expect(all).toMatchObject({ set: some.set, made: 4 })
  const set = findSet(run.runFolder, all.set)
  expect(set.trials).toHaveLength(6)

  const subject = await openSubject(run.subjectFolder)
  const patterns = heldOutPatterns(run, subject)
  const read = voxelReader(run, subject, run.subjectFolder)
  for (const trial of [12, 13, 17]) {
    const pattern = patterns.find((one) => one.trial === trial)!
    expect(readTrial(set, trial)).toMatchObject({
      fold: pattern.fold,
      kinds: { high: { chosen: 0, scores: [] } },
    })
    const study = openStudyReconstructor(run, pattern.fold)
    const expected = study.reconstruct(read(pattern))
    study.dispose()
    for (const kind of set.kinds) {
      const { height, width, data } = readPicture(set, trial, kind)
      expect([height, width]).toEqual([side, side])
      for (const channel of [0, 1, 2])
        expect(
          data.filter((_, i) => i % 3 === channel),
          kind,
        ).toEqual(expected[kind])
    }
  }
  subject.close()
}, 240_000)

test('a run that was trained for retrieval only is refused', async () => {
  const { job } = await trained(false)
  const refused = await reconstruct(job, quietly()).catch((error: MindEyeError) => error.parts)
  expect(refused).toMatchObject({ kind: 'state', expected: 'a run that decodes pictures by itself' })
}, 240_000)
