import { distinct } from '../base/distinct.ts'
import { MindEyeError } from '../base/errors.ts'
import { Random } from '../nn/random.ts'
import type { TrialTable } from './subject.ts'

/** One train/test division: row numbers into the trial table, ascending. */
export interface Fold {
  name: string
  train: Int32Array
  test: Int32Array
}

/** `shipped` | `leave-one-run-out` | `leave-one-stimulus-out` | `kfold:K`. */
export type Split = string

/** What a study can be split by, and why not where it cannot. */
export interface SplitOffer {
  split: Split
  possible: boolean
  folds: number
  reason: string
}

// Above this, leaving out one stimulus at a time is thousands of trainings; grouped k-fold asks the same question.
const MOST_STIMULI_TO_LEAVE_OUT = 200

function splitError(split: string, expected: string, found: string, fix: string): MindEyeError {
  return new MindEyeError({ kind: 'input', where: `split ${split}`, expected, found, fix })
}

function fold(name: string, count: number, isTest: (row: number) => boolean, isTrain: (row: number) => boolean): Fold {
  const train: number[] = []
  const test: number[] = []
  for (let row = 0; row < count; row++) {
    if (isTest(row)) test.push(row)
    else if (isTrain(row)) train.push(row)
  }
  return { name, train: Int32Array.from(train), test: Int32Array.from(test) }
}

function shipped(trials: TrialTable): Fold[] {
  const only = fold(
    'shipped',
    trials.count,
    (row) => trials.part[row] === 1,
    (row) => trials.part[row] === 0,
  )
  if (!only.train.length || !only.test.length)
    throw splitError(
      'shipped',
      'trials marked as train and as test in the source files',
      `${only.train.length} train and ${only.test.length} test trials`,
      'Choose --split leave-one-stimulus-out or kfold:K instead.',
    )
  return [only]
}

function leaveOneRunOut(trials: TrialTable): Fold[] {
  const split = 'leave-one-run-out'
  const unlabelled = trials.run.reduce((n, run) => n + (run < 0 ? 1 : 0), 0)
  const runs = distinct(trials.run).filter((run) => run >= 0)
  if (runs.length < 2)
    throw splitError(
      split,
      'run labels of at least two scanner runs',
      runs.length ? 'one run' : 'no run labels',
      'Choose --split leave-one-stimulus-out or kfold:K, or import with --map run.train=NAME run.test=NAME.',
    )
  if (unlabelled)
    throw splitError(
      split,
      'a run label for every trial',
      `${unlabelled} of ${trials.count} trials without one`,
      'A trial of unknown run could sit beside its own run in training; choose another split.',
    )
  return Array.from(runs, (run) =>
    fold(
      `run ${run}`,
      trials.count,
      (row) => trials.run[row] === run,
      () => true,
    ),
  )
}

function leaveOneStimulusOut(trials: TrialTable): Fold[] {
  const shown = distinct(trials.stimulus)
  if (shown.length < 2)
    throw splitError(
      'leave-one-stimulus-out',
      'at least two distinct stimuli',
      String(shown.length),
      'Choose another split.',
    )
  return Array.from(shown, (s) =>
    fold(
      `stimulus ${s}`,
      trials.count,
      (row) => trials.stimulus[row] === s,
      () => true,
    ),
  )
}

/** Stimuli in seeded order, each given to the fold that has the fewest trials so far: no stimulus on both sides. */
function kfold(trials: TrialTable, split: string, seed: number): Fold[] {
  const k = Number(split.slice('kfold:'.length))
  const shown = distinct(trials.stimulus)
  if (!Number.isInteger(k) || k < 2 || k > shown.length)
    throw splitError(
      split,
      `a whole number of folds from 2 to ${shown.length} (the number of distinct stimuli)`,
      split.slice('kfold:'.length) || 'nothing',
      'For example --split kfold:5.',
    )
  const trialsOf = new Map<number, number>()
  for (const s of trials.stimulus) trialsOf.set(s, (trialsOf.get(s) ?? 0) + 1)
  const sizes = new Array<number>(k).fill(0)
  const foldOf = new Map<number, number>()
  for (const at of new Random(seed).permutation(shown.length)) {
    const smallest = sizes.indexOf(Math.min(...sizes))
    foldOf.set(shown[at], smallest)
    sizes[smallest] += trialsOf.get(shown[at]) ?? 0
  }
  return sizes.map((_, i) =>
    fold(
      `fold ${i + 1} of ${k}`,
      trials.count,
      (row) => foldOf.get(trials.stimulus[row]) === i,
      () => true,
    ),
  )
}

/**
 * The folds of a split. Every trial is held out exactly once, except for `shipped` (one fold, the parts that the files name).
 * `leave-one-run-out` and `leave-one-stimulus-out` pool the shipped train and test trials; `kfold:K` keeps all trials of a
 * stimulus in one fold, drawn by `seed`. Throws an input error when the study cannot be split so.
 */
export function makeFolds(trials: TrialTable, split: Split, seed: number): Fold[] {
  if (split === 'shipped') return shipped(trials)
  if (split === 'leave-one-run-out') return leaveOneRunOut(trials)
  if (split === 'leave-one-stimulus-out') return leaveOneStimulusOut(trials)
  if (split.startsWith('kfold:')) return kfold(trials, split, seed)
  throw splitError(
    split,
    'shipped, leave-one-run-out, leave-one-stimulus-out or kfold:K',
    split,
    'Choose one of these.',
  )
}

/** Every split with the number of folds it would give, or the reason why this study cannot have it. */
export function offerSplits(trials: TrialTable): SplitOffer[] {
  return ['shipped', 'leave-one-run-out', 'leave-one-stimulus-out', 'kfold:5'].map((split): SplitOffer => {
    const refused = (reason: string): SplitOffer => ({ split, possible: false, folds: 0, reason })
    // Counted first: the folds of 10,000 stimuli would fill the memory.
    const shown = split === 'leave-one-stimulus-out' ? distinct(trials.stimulus).length : 0
    if (shown > MOST_STIMULI_TO_LEAVE_OUT)
      return refused(`${shown} stimuli would mean as many trainings; kfold:K keeps stimuli apart too`)
    try {
      return { split, possible: true, folds: makeFolds(trials, split, 0).length, reason: '' }
    } catch (error) {
      if (!(error instanceof MindEyeError)) throw error
      return refused(error.parts.found)
    }
  })
}
