import { describe, expect, it } from 'vitest'
import { type Check, rules, runChecks } from '../../src-main/subjects/checks.ts'
import { gatherFacts } from '../../src-main/subjects/facts.ts'
import { trialTable, check, healthyStudy, quietly } from './support.ts'

type Mutable = ReturnType<typeof healthyStudy>
const size = 16 * 16

async function checksOf(change: (study: Mutable) => void = () => {}): Promise<Check[]> {
  const study = healthyStudy()
  change(study)
  return runChecks(await gatherFacts(study, quietly()), study.checks())
}

const picture = (study: Mutable, i: number) => study.pixels.subarray(i * size, (i + 1) * size)

/** For each code a change that makes it fail, what it then finds, and its level. */
const failures: Record<string, { change(study: Mutable): void; found: RegExp; level: Check['level'] }> = {
  'trials.count': {
    change: (study) => (study.trials = trialTable({ stimulus: [0] })),
    found: /^1 trial of 6 voxels/,
    level: 'error',
  },
  'alignment.trials': {
    change: (study) => study.trials.stimulus.set([12, -1]),
    found: /^2 trials without an image$/,
    level: 'error',
  },
  'alignment.ids': {
    change: (study) => (study.stimuli.ids[3] = 'picture-0'),
    found: /^1 row whose id occurred before$/,
    level: 'error',
  },
  'voxels.finite': {
    change: (study) => study.voxels.set([NaN, 1, Infinity, 1, 1, 1, NaN]),
    found: /^3 of 120 values in 2 voxels$/,
    level: 'warning',
  },
  'voxels.constant': {
    change: (study) => study.voxels.forEach((_, i) => i % 6 === 2 && (study.voxels[i] = 4)),
    found: /^1 voxel without any variance$/,
    level: 'warning',
  },
  'voxels.scale': {
    change: (study) => study.voxels.forEach((x, i) => (study.voxels[i] = Math.round(x * 900))),
    found: /^SD \d+, largest magnitude \d+$/,
    level: 'warning',
  },
  repeats: {
    change: (study) => (study.trials = trialTable({ stimulus: [0, 1, 2, 3] })),
    found: /^0 of 4 images shown more than once, each 1 time$/,
    level: 'note',
  },
  'images.blank': {
    change: (study) => picture(study, 5).fill(9),
    found: /^1 image of one single value$/,
    level: 'warning',
  },
  'images.orientation': {
    // rows that jump, columns that don't: pixels read with the wrong stride look like this
    change: (study) => study.pixels.forEach((_, i) => (study.pixels[i] = (Math.floor(i / 16) * 97) % 256)),
    found: /0 across and [\d.]+ down$/,
    level: 'warning',
  },
  'geometry.affine': {
    change: (study) => (study.volume = { shape: [4, 4, 4], affine: [2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1] }),
    found: /determinant 0$/,
    level: 'warning',
  },
  'geometry.hemispheres': {
    change: (study) => study.positions!.fill(12),
    found: /^0 left, 6 right$/,
    level: 'warning',
  },
  rois: {
    change: (study) => study.rois.push({ name: 'FFA', mask: new Uint8Array(6) }),
    found: /^1 empty ROI: FFA$/,
    level: 'warning',
  },
  'leakage.stimulus': {
    change: (study) => (study.trials.stimulus[19] = 0),
    found: /^1 of 4 test images also in train \(2 times\); 1 of 4 test trials$/,
    level: 'warning',
  },
  'leakage.duplicate': {
    change: (study) => picture(study, 11).set(picture(study, 2)),
    found: /^1 pair of equal pixels: picture-11 = picture-2$/,
    level: 'warning',
  },
  'leakage.near': {
    change: (study) =>
      picture(study, 11).set(picture(study, 2).map((p, i) => Math.min(255, p + (i % 7 === 0 ? 3 : 0)))),
    found: /^1 pair: picture-11 ~ picture-2$/,
    level: 'warning',
  },
  'leakage.run': {
    change: (study) => (study.trials.run[19] = 1),
    found: /^1 of 2 test runs also have train trials; 1 of 4 test trials$/,
    level: 'warning',
  },
  'leakage.twin': {
    change(study) {
      study.trials.run[19] = 1
      study.trials.stimulus[19] = 0
    },
    found: /^1 of 4 test trials have a same-image, same-run twin in train$/,
    level: 'warning',
  },
  'leakage.ceiling': {
    change: (study) => (study.trials.stimulus[19] = 8),
    found: /^3 distinct images in 4 test trials$/,
    level: 'note',
  },
  'leakage.run-mean': {
    // every run shows one picture only
    change: (study) =>
      (study.trials = trialTable({ stimulus: [0, 0, 1, 1, 0, 1], part: [0, 0, 0, 0, 1, 1], run: [1, 1, 2, 2, 1, 2] })),
    found: /^PixCorr 1\.000 over 2 test trials/,
    level: 'warning',
  },
}

describe('checks', () => {
  it('every rule has a failing example here', () => {
    expect(rules.map((rule) => rule.code).sort()).toEqual(Object.keys(failures).sort())
  })

  it('all hold for a healthy study, and each that applies says so', async () => {
    const checks = await checksOf()
    expect(checks.filter((c) => !c.ok)).toEqual([])
    // The run of the test trials has no train trials, so its mean image says nothing.
    const expected = rules.map((rule) => rule.code).filter((code) => code !== 'leakage.run-mean')
    expect(checks.map((c) => c.code)).toEqual([...expected, 'split'])
  })

  it.each(Object.entries(failures))('%s fails on its example', async (code, { change, found, level }) => {
    const result = check(await checksOf(change), code)
    expect(result.found).toMatch(found)
    expect(result).toMatchObject({ ok: false, level })
  })

  it('the run mean passes when runs show many pictures', async () => {
    const checks = await checksOf((study) => study.trials.run.fill(1))
    expect(check(checks, 'leakage.run-mean')).toMatchObject({ ok: true })
  })

  it('a leaking shipped split is still used, but says what to report beside it', async () => {
    const split = check(await checksOf((study) => (study.trials.stimulus[19] = 0)), 'split')
    expect(split).toMatchObject({ ok: false, level: 'warning' })
    expect(split.found).toMatch(/^shipped; offered: .*leave-one-run-out \(3 folds\)/)
    expect(split.detail).toMatch(/leave-one-run-out and leave-one-stimulus-out/)
  })

  it('runs that hold both train and test alone do not condemn a split', async () => {
    const checks = await checksOf((study) => (study.trials.run[19] = 1))
    expect(check(checks, 'split').ok).toBe(true)
  })

  it('without a shipped split nothing is said about leakage, and folds keep stimuli apart', async () => {
    const checks = await checksOf((study) => study.trials.part.fill(-1))
    expect(checks.filter((c) => c.code.startsWith('leakage.'))).toEqual([])
    expect(check(checks, 'split').found).toMatch(/^kfold:5; offered: leave-one-run-out/)
  })

  it('two-way ceilings count pairs of equal pictures', async () => {
    // 12 test trials of 10 pictures: 4 ordered pairs of 132 are ties
    const stimulus = [10, 11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    const part = stimulus.map((_, t) => (t < 2 ? 0 : 1))
    const checks = await checksOf((study) => (study.trials = trialTable({ stimulus, part })))
    expect(check(checks, 'leakage.ceiling').detail).toMatch(/cannot exceed \.970/)
  })
})
