import type { Rule } from './checks.ts'
import type { Facts } from './facts.ts'
import { count, range } from './wording.ts'

// Near-same pictures: at most this many of 64 dHash bits differ, and the 16 x 16 thumbnails correlate at least this well.
const NEAR_BITS = 10
const NEAR_CORRELATION = 0.98

interface Sides {
  train: number[]
  test: number[]
  /** Distinct stimuli → number of trials on that side. */
  trainStimuli: Map<number, number>
  testStimuli: Map<number, number>
}

function tally(values: number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const x of values) counts.set(x, (counts.get(x) ?? 0) + 1)
  return counts
}

/** The two sides of the shipped split; null when the files name none. */
function sidesOf({ trials, stimuli }: Facts): Sides | null {
  // Trials without an image are an error of their own.
  const rows = [...trials.part.keys()].filter((row) => trials.stimulus[row] in stimuli.ids)
  const train = rows.filter((row) => trials.part[row] === 0)
  const test = rows.filter((row) => trials.part[row] === 1)
  if (!train.length || !test.length) return null
  const shownIn = (side: number[]) => tally(side.map((row) => trials.stimulus[row]))
  return { train, test, trainStimuli: shownIn(train), testStimuli: shownIn(test) }
}

/** Bits in which the 64-bit hashes (n, 2) of two pictures differ. */
function hashDistance(hashes: Uint32Array, a: number, b: number): number {
  let bits = 0
  for (let half = 0; half < 2; half++) for (let x = hashes[a * 2 + half] ^ hashes[b * 2 + half]; x; x &= x - 1) bits++
  return bits
}

function correlation(thumbnails: Float32Array, a: number, b: number): number {
  const x = thumbnails.subarray(a * 256, (a + 1) * 256)
  const y = thumbnails.subarray(b * 256, (b + 1) * 256)
  const mx = x.reduce((p, q) => p + q, 0) / 256
  const my = y.reduce((p, q) => p + q, 0) / 256
  let xy = 0
  let xx = 0
  let yy = 0
  for (let i = 0; i < 256; i++) {
    xy += (x[i] - mx) * (y[i] - my)
    xx += (x[i] - mx) ** 2
    yy += (y[i] - my) ** 2
  }
  return xy / Math.sqrt(xx * yy || 1)
}

/** Best two-way identification of perfect reconstructions: pairs of test trials with the same picture can never be told apart. */
function twoWayCeiling(testTrials: number, testStimuli: Map<number, number>): number {
  let tied = 0
  for (const n of testStimuli.values()) tied += n * (n - 1)
  return 1 - tied / (testTrials * (testTrials - 1))
}

const decimals = (x: number): string => x.toFixed(3).replace(/^0/, '')

export const leakageRules: Rule[] = [
  {
    code: 'leakage.stimulus',
    check(facts) {
      const sides = sidesOf(facts)
      if (!sides) return null
      const { train, test, trainStimuli, testStimuli } = sides
      const shared = [...testStimuli.keys()].filter((s) => trainStimuli.has(s))
      const trials = test.filter((row) => trainStimuli.has(facts.trials.stimulus[row])).length
      const all = new Set([...trainStimuli.keys(), ...testStimuli.keys()]).size
      return {
        level: 'warning',
        ok: shared.length === 0,
        title: 'No test image in training',
        expected: 'test images that training has never seen',
        found: shared.length
          ? `${shared.length === testStimuli.size ? `every test image (all ${shared.length})` : `${shared.length} of ${testStimuli.size} test images`} also in train (${range(shared.map((s) => trainStimuli.get(s) ?? 0))} times); ${trials} of ${test.length} test trials`
          : `none of ${testStimuli.size}`,
        detail: `The ${train.length + test.length} trials show ${count(all, 'distinct image')}.${shared.length ? ' As shipped this is not a test of reconstruction: a decoder may learn each image by heart.' : ''}`,
      }
    },
  },
  {
    code: 'leakage.duplicate',
    check(facts) {
      const sides = sidesOf(facts)
      if (!sides) return null
      const inTrain = new Map([...sides.trainStimuli.keys()].map((s) => [facts.images.pixels[s], s]))
      const twins = [...sides.testStimuli.keys()].flatMap((s) => {
        const other = inTrain.get(facts.images.pixels[s])
        return other === undefined || other === s ? [] : [`${facts.stimuli.ids[s]} = ${facts.stimuli.ids[other]}`]
      })
      return {
        level: 'warning',
        ok: twins.length === 0,
        title: 'No test image in training under another id',
        expected: 'different pixels under different ids',
        found: twins.length
          ? `${count(twins.length, 'pair')} of equal pixels: ${twins.slice(0, 5).join(', ')}`
          : 'none',
        detail: '',
      }
    },
  },
  {
    code: 'leakage.near',
    check(facts) {
      const sides = sidesOf(facts)
      if (!sides) return null
      const { pixels, difference, thumbnails } = facts.images
      const near: string[] = []
      for (const test of sides.testStimuli.keys())
        for (const train of sides.trainStimuli.keys())
          if (
            pixels[test] !== pixels[train] &&
            hashDistance(difference, test, train) <= NEAR_BITS &&
            correlation(thumbnails, test, train) >= NEAR_CORRELATION
          )
            near.push(`${facts.stimuli.ids[test]} ~ ${facts.stimuli.ids[train]}`)
      return {
        level: 'warning',
        ok: near.length === 0,
        title: 'No near-copy of a test image in training',
        expected: `no pair within ${NEAR_BITS} of 64 hash bits and thumbnail correlation ${NEAR_CORRELATION}`,
        found: near.length ? `${count(near.length, 'pair')}: ${near.slice(0, 5).join(', ')}` : 'none',
        detail: '',
      }
    },
  },
  {
    code: 'leakage.run',
    check(facts) {
      const sides = sidesOf(facts)
      const { run } = facts.trials
      if (!sides || !sides.test.some((row) => run[row] >= 0)) return null
      const trainRuns = new Set(sides.train.map((row) => run[row]).filter((r) => r >= 0))
      const testRuns = new Set(sides.test.map((row) => run[row]).filter((r) => r >= 0))
      const shared = [...testRuns].filter((r) => trainRuns.has(r)).length
      const trials = sides.test.filter((row) => run[row] >= 0 && trainRuns.has(run[row])).length
      return {
        level: 'warning',
        ok: shared === 0,
        title: 'No scanner run on both sides',
        expected: 'test runs apart from training runs',
        found: shared
          ? `${shared} of ${testRuns.size} test runs also have train trials; ${trials} of ${sides.test.length} test trials`
          : `none of ${testRuns.size}`,
        detail: shared ? 'Slow drift and the order of images within a run tell about the test trials.' : '',
      }
    },
  },
  {
    code: 'leakage.twin',
    check(facts) {
      const sides = sidesOf(facts)
      const { run, stimulus } = facts.trials
      if (!sides || !sides.test.some((row) => run[row] >= 0)) return null
      const key = (row: number) => `${run[row]} ${stimulus[row]}`
      const inTrain = new Set(sides.train.filter((row) => run[row] >= 0).map(key))
      const twins = sides.test.filter((row) => inTrain.has(key(row))).length
      return {
        level: 'warning',
        ok: twins === 0,
        title: 'No test trial with a twin in training',
        expected: 'no train trial of the same image in the same run',
        found: `${twins} of ${sides.test.length} test trials have a same-image, same-run twin in train`,
        detail: '',
      }
    },
  },
  {
    code: 'leakage.ceiling',
    check(facts) {
      const sides = sidesOf(facts)
      if (!sides || sides.test.length < 2) return null
      const { test, testStimuli } = sides
      const ceiling = twoWayCeiling(test.length, testStimuli)
      const repeated = ceiling < 1
      return {
        level: 'note',
        ok: !repeated,
        title: 'Distinct test images',
        expected: `${test.length} distinct images in ${test.length} test trials`,
        found: `${count(testStimuli.size, 'distinct image')} in ${test.length} test trials`,
        detail: repeated
          ? `Trial by trial, two-way identification cannot exceed ${decimals(ceiling)}. Retrieval counts distinct images.`
          : '',
      }
    },
  },
  {
    code: 'leakage.run-mean',
    check({ runMean }) {
      if (!runMean) return null
      return {
        level: 'warning',
        ok: runMean.pixCorr < 0.5,
        title: 'The run alone does not give the image away',
        expected: "a mean train image of the trial's run that says little about the image seen",
        found: `PixCorr ${decimals(runMean.pixCorr)} over ${count(runMean.trials, 'test trial')}, with no brain data at all`,
        detail: runMean.pixCorr < 0.5 ? '' : 'A score below this on the shipped split shows nothing about decoding.',
      }
    },
  },
]
