import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { knockOut } from '../../src-main/reconstruction/knockOut.ts'
import { choosePatterns, foldHoldingOut, heldOutPatterns, voxelReader } from '../../src-main/reconstruction/patterns.ts'
import type { HeldOutJob } from '../../src-main/retrieval/repeats.ts'
import { makeFolds } from '../../src-main/subjects/splits.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { readSubjectArray } from '../../src-main/subjects/subject.ts'
import type { RidgeModel } from '../../src-main/training/ridge.ts'
import { predictRidge } from '../../src-main/training/ridge.ts'
import { saveRidge } from '../../src-main/training/decoder.ts'
import { fitScaling } from '../../src-main/training/examples.ts'
import { foldFiles, saveScaling, saveTest } from '../../src-main/training/foldFiles.ts'
import { foldFolder } from '../../src-main/training/foldTest.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { Random } from '../../src-main/nn/random.ts'
import { load, quietly, temporaryFolder } from '../subjects/support.ts'

beforeAll(() => loadBackend())

/** A simulated subject and a ridge run on it whose weights are random. */
async function ridgeRun() {
  const folder = temporaryFolder()
  const { subjects } = await simulate(
    { out: join(folder, 'data'), subjects: 1, images: 12, layout: 'webdataset', seed: 5, imageSize: 32, cortex: 3 },
    quietly(),
  )
  const { subject, dir } = await load([subjects[0].path])
  const { voxelCount } = subject.manifest
  const config = presetConfig('ridge', { width: '4', items: 'stimulus' })
  const run: HeldOutJob = {
    ...{ runFolder: join(folder, 'run'), subjectFolder: dir, config, split: 'shipped', seed: 42 },
  }
  const [fold] = makeFolds(subject.trials, 'shipped', 42)
  const files = foldFiles(foldFolder(run.runFolder, 0))
  mkdirSync(foldFolder(run.runFolder, 0), { recursive: true })
  saveScaling(files.scaling, fitScaling(subject, fold.train, config.zscore))
  const random = new Random(9)
  const normal = (n: number) => Float64Array.from({ length: n }, () => random.normal())
  const model: RidgeModel = {
    ...{ voxels: voxelCount, targets: 4, alpha: normal(4) },
    weights: Float32Array.from(normal(voxelCount * 4)),
    intercept: Float32Array.from(normal(4)),
  }
  saveRidge(files.model, model)
  const pool = Int32Array.from(new Set(fold.test.map((row) => subject.trials.stimulus[row])))
  const image = Float32Array.from(normal(pool.length * 4))
  const rows = Int32Array.from(pool, (stimulus) => fold.test.find((row) => subject.trials.stimulus[row] === stimulus)!)
  const brain = new Float32Array(pool.length * 4)
  saveTest(files.test, { width: 4, brain, image, seen: pool, trial: rows, pool })
  return { subject, dir, run, fold, model, pool, image }
}

const refusal = (act: () => unknown): MindEyeError['parts'] => {
  try {
    act()
  } catch (error) {
    if (error instanceof MindEyeError) return error.parts
    throw error
  }
  throw new Error('nothing was refused')
}

describe('held-out patterns', () => {
  test('average the trials of an image, z-scored as in the fold; areas are switched off', async () => {
    const { subject, dir, run, fold } = await ridgeRun()
    const patterns = heldOutPatterns(run, subject)
    const { stimulus } = subject.trials
    expect(patterns.map((pattern) => pattern.stimulus)).toEqual([...new Set(fold.test.map((row) => stimulus[row]))])
    const single = heldOutPatterns({ ...run, repeats: 'single' }, subject)
    expect(single.map(({ trial, rows }) => [trial, ...rows])).toEqual([...fold.test].map((row) => [row, row]))

    const scaling = fitScaling(subject, fold.train, run.config.zscore).sessions.at(-1)!
    const [pattern] = patterns
    const read = voxelReader(run, subject, dir)(pattern)
    const V = subject.manifest.voxelCount
    const raw = subject.readVoxels(pattern.rows)
    for (const voxel of [0, 7, V - 1]) {
      let sum = 0
      for (let r = 0; r < pattern.rows.length; r++)
        sum += (raw[r * V + voxel] - scaling.mean[voxel]) * scaling.inverse[voxel]
      expect(read[voxel]).toBeCloseTo(sum / pattern.rows.length, 4)
    }

    const [first, second] = subject.manifest.rois.map(({ name }) => name)
    const masks = readSubjectArray(dir, 'rois.npy')!.data
    const without = voxelReader(run, subject, dir, [first, second])(pattern)
    const expected = read.map((value, voxel) => (masks[voxel] || masks[V + voxel] ? 0 : value))
    expect(without).toEqual(expected)
    expect(without).not.toEqual(read)
    expect(refusal(() => voxelReader(run, subject, dir, ['nowhere']))).toMatchObject({
      ...{ where: '--without', found: "'nowhere'" },
    })
  })

  test('are chosen by any of their trials, and held out by both runs', async () => {
    const { subject, run, fold } = await ridgeRun()
    const patterns = heldOutPatterns(run, subject)
    const [, other] = patterns
    expect(choosePatterns(patterns, [other.rows[1], other.trial])).toEqual([other])
    expect(refusal(() => choosePatterns(patterns, [fold.train[0]]))).toMatchObject({ where: '--trials' })
    expect(foldHoldingOut([{ name: 'a', train: fold.test, test: fold.train }, fold], other, 'RUN')).toBe(1)
    const halves = [{ ...fold, test: other.rows.slice(0, 1) }]
    if (new Set(other.rows).size > 1)
      expect(refusal(() => foldHoldingOut(halves, other, 'RUN')).found).toBe('that RUN was trained on it')
  })

  test('knocked out find what the decoder says of the voxels that are left', async () => {
    const { subject, dir, run, model, pool, image } = await ridgeRun()
    const [, pattern] = heldOutPatterns(run, subject)
    const [{ name }] = subject.manifest.rois
    const found = await knockOut({ run, trial: pattern.trial, without: [name] })
    expect(found).toMatchObject({ trial: pattern.trial, pool: pool.length, voxels: model.voxels })
    expect(found.silenced).toBeGreaterThan(0)
    const own = pool.indexOf(pattern.stimulus)
    for (const [finding, areas] of [
      [found.all, []],
      [found.without, [name]],
    ] as const) {
      const voxels = voxelReader(run, subject, dir, areas)(pattern)
      const embedding = predictRidge(model, { count: 1, width: model.voxels, data: voxels })
      const cosines = Array.from(pool, (_, i) => {
        const one = image.subarray(i * 4, i * 4 + 4)
        const dot = one.reduce((sum, value, j) => sum + value * embedding[j], 0)
        return dot / (Math.hypot(...one) * Math.hypot(...embedding))
      })
      expect(finding.similarity).toBeCloseTo(cosines[own], 4)
      expect(finding.rank).toBe(1 + cosines.filter((value) => value > cosines[own] + 1e-6).length)
      expect(finding.lead).toBeCloseTo(cosines[own] - Math.max(...cosines.filter((_, i) => i !== own)), 4)
      expect(finding.best[0].similarity).toBeCloseTo(Math.max(...cosines), 4)
    }
    expect(found.all.similarity).not.toBe(found.without.similarity)
  })
})
