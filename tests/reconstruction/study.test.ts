import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { pearson } from '../../src-main/evaluation/correlation.ts'
import { mean } from '../../src-main/evaluation/statistics.ts'
import { openStudyReconstructor } from '../../src-main/reconstruction/study.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { makeFolds } from '../../src-main/subjects/splits.ts'
import { openSubject } from '../../src-main/subjects/subject.ts'
import type { Blend } from '../../src-main/training/blend.ts'
import { averagedVoxels, groupItems } from '../../src-main/training/examples.ts'
import type { TrainingConfig } from '../../src-main/training/fields.ts'
import { foldFiles, loadScaling } from '../../src-main/training/foldFiles.ts'
import { foldFolder } from '../../src-main/training/foldTest.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { runTraining } from '../../src-main/training/run.ts'
import { squaredPictures } from '../../src-main/training/trainDecoders.ts'
import type { SmallStudy } from '../subjects/support.ts'
import { figures, quietly, temporaryFolder, writeSmallStudy } from '../subjects/support.ts'

beforeAll(() => loadBackend())

const side = 12
const short = { hidden: '64', projectorHidden: '32', width: '16', epochs: '20', encoderSteps: '60' }
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

async function train(study: Omit<SmallStudy, 'side'>, config: TrainingConfig, split = 'shipped') {
  const home = temporaryFolder()
  const subjectFolder = join(home, 'subject')
  const runFolder = join(home, 'run')
  mkdirSync(runFolder)
  await importPaths([writeSmallStudy(home, { ...study, side }).path], { id: 's', map: {} }, subjectFolder, quietly())
  const place = { runFolder, subjectFolder, config, split, seed: 1 }
  await runTraining({ ...place, networks: {} }, quietly())
  return place
}

/** Pictures of a fold's held-out trials, with the seen ones. */
async function reconstruct(place: Awaited<ReturnType<typeof train>>, index = 0) {
  const subject = await openSubject(place.subjectFolder)
  const fold = makeFolds(subject.trials, place.split, place.seed)[index]
  const items = groupItems(subject.trials, fold.test, place.config.items)
  const scaling = loadScaling(foldFiles(foldFolder(place.runFolder, index)).scaling)
  const reconstructor = openStudyReconstructor(place, index)
  const made = reconstructor.reconstruct(averagedVoxels(subject, scaling, items))
  const seen = await squaredPictures(subject, items.stimulus, place.config)
  reconstructor.dispose()
  subject.close()
  return { made, seen, count: items.count, shape: [reconstructor.side, reconstructor.channels] }
}

function pixCorr(made: Float32Array, seen: Float32Array, count: number): number {
  const size = seen.length / count
  const of = (pixels: Float32Array, i: number) => pixels.subarray(i * size, (i + 1) * size)
  return mean(upTo(count).map((i) => pearson(of(made, i), of(seen, i))))
}

describe('pictures of small studies', () => {
  it('another study works with no option touched: bytes, 90 trials, 3,000 unscaled voxels, no labels, no repeats', async () => {
    const place = await train(
      {
        ...{ train: upTo(81), test: upTo(9, 81), V: 3000, figures: figures(90, side) },
        ...{ bytes: true, scale: 0.02, signal: 1 },
      },
      presetConfig('small-study', short),
    )
    const { made, seen, count, shape } = await reconstruct(place)
    expect(shape).toEqual([side, 1])
    expect(Object.keys(made).sort()).toEqual(['combined', 'high', 'low', 'ridge'])
    for (const pixels of Object.values(made)) {
      expect(pixels.length).toBe(9 * side * side)
      expect(pixels.every((x) => x >= 0 && x <= 1)).toBe(true)
    }
    // Random figures, never seen in training: only what voxels say about pixels can help.
    expect(pixCorr(made.ridge!, seen, count)).toBeGreaterThan(0.8)
    expect(pixCorr(made.low!, seen, count)).toBeGreaterThan(0.3)
    expect(pixCorr(made.combined!, seen, count)).toBeGreaterThan(0.8)

    const folder = foldFolder(place.runFolder, 0)
    const blend = JSON.parse(readFileSync(foldFiles(folder).blend, 'utf8')) as Blend
    expect(blend.weights.ridge + blend.weights.low + blend.weights.high).toBeCloseTo(1, 12)
    expect(blend.errors.blend).toBeLessThanOrEqual(blend.errors.mean)
    expect(blend.errors.mean).toBeLessThanOrEqual(Math.min(blend.errors.ridge!, blend.errors.low!, blend.errors.high!))
    expect(existsSync(foldFiles(folder).heldOut(0))).toBe(false)
    const lines = readFileSync(join(place.runFolder, 'metrics.jsonl'), 'utf8').trim().split('\n')
    const pixels = lines.map((line) => (JSON.parse(line) as { pixels: number }).pixels)
    expect(pixels).toHaveLength(20 * 2)
    expect(mean(pixels.slice(-4))).toBeLessThan(0.8 * pixels[0])
  })

  it('every fold has its own parts and blend', async () => {
    const shown = upTo(24).map((i) => i % 6)
    const runs = upTo(24).map((i) => 1 + Math.floor(i / 6))
    const place = await train(
      {
        ...{ train: shown, test: upTo(6), V: 60, figures: figures(6, side), signal: 1 },
        labels: { train: runs, test: upTo(6).map(() => 5) },
      },
      presetConfig('small-study', { ...short, epochs: '3', encoderSteps: '20', batchSize: '8' }),
      'leave-one-run-out',
    )
    const [first, last] = [await reconstruct(place, 0), await reconstruct(place, 4)]
    expect([first.count, last.count]).toEqual([6, 6])
    expect(first.seen).toEqual(last.seen)
    expect(first.made.combined).not.toEqual(last.made.combined)
  })

  it('ridge regression alone decodes pixels, too', async () => {
    const config = presetConfig('ridge', { pictures: 'true', width: '8', encoderSteps: '4' })
    const study = { train: upTo(60), test: upTo(6, 60), V: 400, figures: figures(66, side), signal: 1 }
    const { made, seen, count } = await reconstruct(await train(study, config))
    expect(Object.keys(made)).toEqual(['low'])
    expect(made.low!.every((x) => x >= 0 && x <= 1)).toBe(true)
    expect(pixCorr(made.low!, seen, count)).toBeGreaterThan(0.6)
  })

  it('a run without them says how to get some', async () => {
    const config = presetConfig('small-study', { ...short, pictures: 'false', epochs: '2', encoderSteps: '4' })
    const place = await train({ train: upTo(12), test: upTo(3), V: 20, figures: figures(12, side) }, config)
    expect(existsSync(foldFiles(foldFolder(place.runFolder, 0)).low)).toBe(false)
    expect(() => openStudyReconstructor(place, 0)).toThrow(/expected a run that decodes pictures.*--set pictures=true/s)
  })
})
