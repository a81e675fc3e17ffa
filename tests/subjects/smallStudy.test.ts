import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importPaths, inspectPaths } from '../../src-main/subjects/importer.ts'
import { makeFolds } from '../../src-main/subjects/splits.ts'
import { openSubject } from '../../src-main/subjects/subject.ts'
import { check, figures, quietly, temporaryFolder, writeSmallStudy } from './support.ts'

const side = 12

describe('small studies in MATLAB files', () => {
  it('reads voxels, upright pictures, runs and the shipped split', async () => {
    const folder = temporaryFolder()
    const shapes = figures(4, side)
    const train = [0, 1, 2, 0, 1, 2]
    const { path, betas } = writeSmallStudy(folder, {
      ...{ train, test: [2, 3], V: 5, side, figures: shapes },
      labels: { train: [7, 7, 7, 8, 8, 8], test: [9, 8] },
    })
    const staged = join(folder, 'subject')
    const { manifest, checks } = await importPaths([path], { map: {} }, staged, quietly())
    expect(manifest).toMatchObject({
      id: 'study',
      layout: 'small-study',
      trialCount: 8,
      trainTrials: 6,
      testTrials: 2,
      stimulusCount: 4,
      voxelCount: 5,
      runCount: 3,
      defaultSplit: 'shipped',
    })
    expect(check(checks, 'layout.labels').found).toBe('labelTrn, labelTest: 3 values (7–9), taken as scanner runs')

    const subject = await openSubject(staged)
    expect([...subject.trials.run]).toEqual([7, 7, 7, 8, 8, 8, 9, 8])
    const all = subject.readVoxels([...Array(8).keys()])
    expect([...all]).toEqual([...Float32Array.from(betas)])
    expect([...subject.readVoxels([7, 0])]).toEqual([...all.slice(35, 40), ...all.slice(0, 5)])
    const seen = subject.readImages(subject.trials.stimulus)
    ;[...train, 2, 3].forEach((shape, t) =>
      expect([...seen.data.subarray(t * side * side, (t + 1) * side * side)]).toEqual(shapes[shape]),
    )
    expect(makeFolds(subject.trials, 'leave-one-run-out', 0).map((fold) => fold.test.length)).toEqual([3, 4, 1])
    subject.close()
  })

  it('another study of the layout works untouched: bytes, many unscaled voxels, no labels, no repeats', async () => {
    const folder = temporaryFolder()
    const [train, test] = [Array.from({ length: 81 }, (_, i) => i), Array.from({ length: 9 }, (_, i) => 81 + i)]
    const { path } = writeSmallStudy(folder, {
      train,
      test,
      V: 3000,
      side,
      figures: figures(90, side),
      bytes: true,
      scale: 0.02,
    })
    const { manifest, checks } = await importPaths([path], { map: {} }, join(folder, 'subject'), quietly())
    expect(manifest).toMatchObject({
      trialCount: 90,
      voxelCount: 3000,
      stimulusCount: 90,
      runCount: 0,
      defaultSplit: 'shipped',
    })
    expect(manifest?.noiseCeiling).toBeUndefined()
    expect(check(checks, 'layout.labels').found).toBe('no labels')
    expect(check(checks, 'voxels.scale')).toMatchObject({
      ok: true,
      found: expect.stringMatching(/^SD 0\.0(199|2|201), /) as string,
    })
    expect(checks.some((c) => c.code.startsWith('leakage.') && !c.ok)).toBe(false)
    expect(manifest?.splits.find((offer) => offer.split === 'leave-one-run-out')).toMatchObject({
      possible: false,
      reason: 'no run labels',
    })
  })

  it('class labels are not taken for runs, unless the user says so', async () => {
    const folder = temporaryFolder()
    const { path } = writeSmallStudy(folder, {
      ...{ train: [0, 1, 2, 0, 1, 2], test: [0, 1], V: 3, side, figures: figures(3, side) },
      labels: { train: [6, 9, 9, 6, 9, 9], test: [6, 9] },
    })
    const unsaid = await inspectPaths([path], { map: {} }, quietly())
    expect(check(unsaid.checks, 'layout.labels').found).toMatch(/not taken as scanner runs$/)
    const said = await inspectPaths([path], { map: { 'run.train': 'labelTrn', 'run.test': 'labelTest' } }, quietly())
    expect(check(said.checks, 'layout.labels').found).toMatch(/, taken as scanner runs$/)
  })

  it('a study whose parts do not fit together is refused by name', async () => {
    const folder = temporaryFolder()
    const { path } = writeSmallStudy(folder, {
      ...{ train: [0, 1], test: [2, 2], V: 3, side, figures: figures(3, side) },
      labels: { train: [1, 1], test: [2] },
    })
    const refused = importPaths([path], { map: { 'run.train': 'labelTrn' } }, join(folder, 'subject'), quietly())
    await expect(refused).rejects.toThrow(/labelTrn \+ labelTest: expected 4 numbers, one per trial, found 3/)
  })

  it('its leakage is told with numbers', async () => {
    const folder = temporaryFolder()
    const { path } = writeSmallStudy(folder, {
      ...{ train: [0, 1, 2, 0, 1, 0], test: [0, 1, 1, 3], V: 4, side, figures: figures(4, side) },
      labels: { train: [1, 1, 1, 2, 2, 2], test: [2, 1, 3, 2] },
    })
    const { checks } = await inspectPaths([path], { map: {} }, quietly())
    expect(check(checks, 'leakage.stimulus').found).toBe(
      '2 of 3 test images also in train (2–3 times); 3 of 4 test trials',
    )
    expect(check(checks, 'leakage.twin').found).toBe('2 of 4 test trials have a same-image, same-run twin in train')
    expect(check(checks, 'leakage.run').found).toBe('2 of 3 test runs also have train trials; 3 of 4 test trials')
    expect(check(checks, 'leakage.ceiling')).toMatchObject({
      found: '3 distinct images in 4 test trials',
      detail: expect.stringMatching(/cannot exceed \.833/) as string,
    })
    expect(check(checks, 'leakage.run-mean').found).toMatch(/^PixCorr .* over 3 test trials/)
  })
})

/** `miyawaki_structured_28x28.mat` of Miyawaki et al. (2008), which is not ours to ship. */
const real = process.env.MINDEYE_STUDY ?? ''
if (!existsSync(real))
  console.log('skipped: set MINDEYE_STUDY to the path of miyawaki_structured_28x28.mat to test the real study')

it.skipIf(!existsSync(real))(
  'the published study of geometrical figures is as leaky as a look by hand found',
  async () => {
    const { checks, ...study } = await inspectPaths([real], { map: {} }, quietly())
    expect(study).toMatchObject({ layout: 'small-study', trialCount: 119, voxelCount: 967, stimulusCount: 20 })
    expect(study.image).toEqual({ height: 28, width: 28, channels: 1 })
    expect(check(checks, 'layout.labels').found).toMatch(/12 values \(21–32\), taken as scanner runs/)
    expect(check(checks, 'leakage.stimulus')).toMatchObject({
      ok: false,
      found: 'every test image (all 10) also in train (3–7 times); 12 of 12 test trials',
      detail: expect.stringContaining('20 distinct images') as string,
    })
    expect(check(checks, 'leakage.ceiling')).toMatchObject({
      found: '10 distinct images in 12 test trials',
      detail: expect.stringContaining('cannot exceed .970') as string,
    })
    expect(check(checks, 'leakage.twin').found).toBe('12 of 12 test trials have a same-image, same-run twin in train')
    expect(check(checks, 'leakage.run-mean').found).toMatch(/^PixCorr \.822 over 12 test trials/)
    expect(check(checks, 'split').found).toContain('leave-one-run-out (12 folds), leave-one-stimulus-out (20 folds)')
  },
)
