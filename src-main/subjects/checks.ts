import type { Facts } from './facts.ts'
import { leakageRules } from './leakage.ts'
import { offerSplits, type SplitOffer } from './splits.ts'
import { count, range, short } from './wording.ts'

/** One statement about a dataset, shown before anything is imported. */
export interface Check {
  /** Stable name, e.g. `leakage.stimulus`. */
  code: string
  /** What it means when `ok` is false: an `error` stops the import, a `warning` is shown, a `note` informs. */
  level: 'error' | 'warning' | 'note'
  ok: boolean
  title: string
  expected: string
  found: string
  /** What follows from it, in whole sentences; may be empty. */
  detail: string
}

/** A rule of the list: null when it has nothing to look at in this dataset. */
export interface Rule {
  code: string
  check(facts: Facts): Omit<Check, 'code'> | null
}

export const rules: readonly Rule[] = [
  {
    code: 'trials.count',
    check({ trials, voxelCount, stimuli }) {
      const train = trials.part.reduce((n, part) => n + (part === 0 ? 1 : 0), 0)
      const test = trials.part.reduce((n, part) => n + (part === 1 ? 1 : 0), 0)
      const parts = train + test ? ` (${train} train, ${test} test)` : ''
      return {
        level: 'error',
        ok: trials.count >= 2 && voxelCount >= 1,
        title: 'Counts',
        expected: 'at least 2 trials and 1 voxel',
        found: `${count(trials.count, 'trial')}${parts} of ${count(voxelCount, 'voxel')}, ${stimuli.ids.length} distinct images`,
        detail: '',
      }
    },
  },
  {
    code: 'alignment.trials',
    check({ trials, stimuli }) {
      const shown = new Set(trials.stimulus)
      const unknown = trials.stimulus.reduce((n, s) => n + (s < 0 || s >= stimuli.ids.length ? 1 : 0), 0)
      return {
        level: 'error',
        ok: unknown === 0,
        title: 'Every trial has its image',
        expected: `${trials.count} trials that name one of ${stimuli.ids.length} images`,
        found: unknown ? `${count(unknown, 'trial')} without an image` : `${shown.size} images shown`,
        detail: '',
      }
    },
  },
  {
    code: 'alignment.ids',
    check({ stimuli }) {
      const repeated = stimuli.ids.length - new Set(stimuli.ids).size
      return {
        level: 'error',
        ok: repeated === 0,
        title: 'Image ids are unique',
        expected: 'one row per id',
        found: repeated ? `${count(repeated, 'row')} whose id occurred before` : `${stimuli.ids.length} distinct ids`,
        detail: '',
      }
    },
  },
  {
    code: 'voxels.finite',
    check({ voxels, trials }) {
      const bad = voxels.broken.filter((n) => n > 0)
      const values = bad.reduce((a, b) => a + b, 0)
      return {
        level: 'warning',
        ok: bad.length === 0,
        title: 'No NaN or infinite values',
        expected: 'finite values only',
        found: bad.length
          ? `${values} of ${trials.count * voxels.broken.length} values in ${count(bad.length, 'voxel')}`
          : 'none',
        detail: bad.length
          ? "They are stored as the voxel's mean over its finite trials (0 where it has none). Voxels at the edge of the scanned volume are better masked out."
          : '',
      }
    },
  },
  {
    code: 'voxels.constant',
    check({ voxels }) {
      const constant = voxels.sd.reduce((n, sd) => n + (sd === 0 ? 1 : 0), 0)
      return {
        level: 'warning',
        ok: constant === 0,
        title: 'No constant voxels',
        expected: 'every voxel varies over trials',
        found: constant ? `${count(constant, 'voxel')} without any variance` : 'none',
        detail: constant ? 'They carry no information; training leaves them at zero.' : '',
      }
    },
  },
  {
    code: 'voxels.scale',
    check({ voxels }) {
      const raw = voxels.whole && voxels.largest > 300
      const zScored = Math.abs(voxels.overallSd - 1) < 0.25
      return {
        level: 'warning',
        ok: !raw && voxels.largest < 1e6,
        title: 'Scaling of the voxels',
        expected: 'z-scores or percent signal change',
        found: `SD ${short(voxels.overallSd)}, largest magnitude ${short(voxels.largest)}${zScored ? ' (about z-scored)' : ''}`,
        detail: raw
          ? 'Whole numbers this large look like integer storage that nobody has divided (NSD betas are int16 of 300 x percent signal change).'
          : 'Training z-scores each voxel with the statistics of its own training trials, whatever the scale.',
      }
    },
  },
  {
    code: 'repeats',
    check({ trials }) {
      const shown = new Map<number, number>()
      for (const s of trials.stimulus) shown.set(s, (shown.get(s) ?? 0) + 1)
      const times = [...shown.values()]
      const repeated = times.filter((n) => n > 1).length
      return {
        level: 'note',
        ok: repeated > 0,
        title: 'Repeats',
        expected: 'images shown more than once, for a noise ceiling',
        found: `${repeated} of ${shown.size} images shown more than once, each ${range(times)} ${times.every((n) => n === 1) ? 'time' : 'times'}`,
        detail: repeated ? '' : 'Without repeats there is no noise ceiling.',
      }
    },
  },
  {
    code: 'images.blank',
    check({ images }) {
      return {
        level: 'warning',
        ok: images.blank === 0,
        title: 'No empty images',
        expected: 'pictures with some contrast',
        found: images.blank ? `${count(images.blank, 'image')} of one single value` : 'none',
        detail: '',
      }
    },
  },
  {
    code: 'images.orientation',
    check({ images: { step }, image }) {
      const ratio = Math.max(step.right, step.down) / Math.max(1e-9, Math.min(step.right, step.down))
      return {
        level: 'warning',
        ok: ratio < 3,
        title: 'Images read in the right pixel order',
        expected: 'pictures about as smooth across as down',
        found: `${image.height} x ${image.width}, mean step ${short(step.right)} across and ${short(step.down)} down`,
        detail:
          ratio < 3
            ? ''
            : 'Pictures this uneven are often read in the wrong order of rows, columns or colours. Look at a few of them.',
      }
    },
  },
  {
    code: 'geometry.affine',
    check({ volume }) {
      if (!volume) return null
      const a = volume.affine
      const sizes = [0, 1, 2].map((c) => Math.hypot(a[c], a[4 + c], a[8 + c]))
      const det =
        a[0] * (a[5] * a[10] - a[6] * a[9]) - a[1] * (a[4] * a[10] - a[6] * a[8]) + a[2] * (a[4] * a[9] - a[5] * a[8])
      return {
        level: 'warning',
        ok: Math.abs(det) > 1e-6 && sizes.every((mm) => mm >= 0.3 && mm <= 6),
        title: 'Voxel-to-mm matrix',
        expected: 'an invertible matrix with voxels of 0.3 to 6 mm',
        found: `volume ${volume.shape.join(' x ')}, voxels ${sizes.map(short).join(' x ')} mm, determinant ${short(det)}`,
        detail: Math.abs(det) > 1e-6 ? `The first axis runs ${a[0] < 0 ? 'right to left' : 'left to right'}.` : '',
      }
    },
  },
  {
    code: 'geometry.hemispheres',
    check({ positions }) {
      if (!positions) return null
      let left = 0
      for (let i = 0; i < positions.length; i += 3) if (positions[i] < 0) left++
      const right = positions.length / 3 - left
      return {
        level: 'warning',
        ok: left > 0 && right > 0 && Math.max(left, right) < 4 * Math.min(left, right),
        title: 'Both hemispheres',
        expected: 'voxels on both sides of x = 0 mm',
        found: `${left} left, ${right} right`,
        detail: '',
      }
    },
  },
  {
    code: 'rois',
    check({ rois }) {
      if (!rois.length) return null
      const empty = rois.filter((roi) => !roi.mask.includes(1)).map((roi) => roi.name)
      return {
        level: 'warning',
        ok: empty.length === 0,
        title: 'ROIs',
        expected: 'every ROI has voxels in this study',
        found: empty.length
          ? `${count(empty.length, 'empty ROI')}: ${empty.slice(0, 5).join(', ')}`
          : count(rois.length, 'ROI'),
        detail: '',
      }
    },
  },
  ...leakageRules,
]

/** `shipped` where the files name a split, else 5 folds that keep stimuli apart, else whatever is possible. */
export function chooseSplit(offers: SplitOffer[]): string {
  const wanted = ['shipped', 'kfold:5', 'leave-one-stimulus-out', 'leave-one-run-out']
  return wanted.find((split) => offers.some((offer) => offer.split === split && offer.possible)) ?? 'none'
}

function splitCheck(facts: Facts, leaks: boolean): Check {
  const offers = offerSplits(facts.trials)
  const used = chooseSplit(offers)
  const possible = offers
    .filter((offer) => offer.possible)
    .map((offer) => `${offer.split} (${count(offer.folds, 'fold')})`)
  const honest = offers.some((offer) => offer.split === 'leave-one-run-out' && offer.possible)
    ? 'leave-one-run-out and leave-one-stimulus-out'
    : 'leave-one-stimulus-out or kfold:K'
  return {
    code: 'split',
    level: leaks || used === 'none' ? 'warning' : 'note',
    ok: used !== 'none' && !leaks,
    title: 'The split that will be used',
    expected: 'test trials that training tells nothing about',
    found: `${used}; offered: ${possible.join(', ') || 'none'}`,
    detail: leaks ? `The shipped split leaks (see above). Report ${honest} beside it.` : '',
  }
}

/** All checks that apply, the layout's own first. */
export function runChecks(facts: Facts, own: Check[] = []): Check[] {
  const found = rules.flatMap((rule): Check[] => {
    const check = rule.check(facts)
    return check ? [{ code: rule.code, ...check }] : []
  })
  // Train and test images interleaved within runs is how many good studies are made; alone it is no reason to doubt the split.
  const leaks = found.some(
    ({ code, level, ok }) => code.startsWith('leakage.') && code !== 'leakage.run' && level === 'warning' && !ok,
  )
  return [...own, ...found, splitCheck(facts, leaks)]
}
