import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeFolds, offerSplits, type Fold } from '../../src-main/subjects/splits.ts'
import type { TrialTable } from '../../src-main/subjects/subject.ts'
import { trialTable } from './support.ts'

const tables = fc
  .array(
    fc.record({
      stimulus: fc.integer({ min: 0, max: 9 }),
      run: fc.integer({ min: 1, max: 4 }),
      part: fc.constantFrom(0, 1),
    }),
    {
      minLength: 12,
      maxLength: 60,
    },
  )
  .map((rows) =>
    trialTable({ stimulus: rows.map((r) => r.stimulus), run: rows.map((r) => r.run), part: rows.map((r) => r.part) }),
  )
  .filter((t) => new Set(t.stimulus).size >= 3 && new Set(t.run).size >= 2)

/** Every trial is held out once, and in each fold train and test are all trials without overlap. */
function expectPartition(trials: TrialTable, folds: Fold[]): void {
  const held = folds.flatMap((fold) => [...fold.test]).sort((a, b) => a - b)
  expect(held).toEqual([...trials.stimulus.keys()])
  for (const { train, test } of folds) {
    expect(new Set([...train, ...test]).size).toBe(trials.count)
    expect(train.length + test.length).toBe(trials.count)
  }
}

const sides = (column: Int32Array, fold: Fold) => {
  const train = new Set([...fold.train].map((row) => column[row]))
  return [...fold.test].filter((row) => train.has(column[row])).length
}

describe('folds', () => {
  it('shipped is the parts of the files; trials of no part are in neither', () => {
    const trials = trialTable({ stimulus: [0, 1, 2, 3], part: [0, 1, -1, 0] })
    const [fold, ...more] = makeFolds(trials, 'shipped', 0)
    expect(more).toHaveLength(0)
    expect([...fold.train]).toEqual([0, 3])
    expect([...fold.test]).toEqual([1])
  })

  it('leave-one-run-out holds out each run, and no run is on both sides', () => {
    fc.assert(
      fc.property(tables, (trials) => {
        const folds = makeFolds(trials, 'leave-one-run-out', 0)
        expect(folds).toHaveLength(new Set(trials.run).size)
        expectPartition(trials, folds)
        for (const fold of folds) expect(sides(trials.run, fold)).toBe(0)
      }),
    )
  })

  it('leave-one-stimulus-out and kfold keep each stimulus on one side', () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 2, max: 3 }), fc.integer(), (trials, k, seed) => {
        for (const split of ['leave-one-stimulus-out', `kfold:${k}`]) {
          const folds = makeFolds(trials, split, seed)
          expectPartition(trials, folds)
          for (const fold of folds) expect(sides(trials.stimulus, fold)).toBe(0)
        }
        expect(makeFolds(trials, `kfold:${k}`, seed)).toHaveLength(k)
      }),
    )
  })

  it('kfold depends on the seed alone, and its folds have about as many trials', () => {
    const trials = trialTable({ stimulus: Array.from({ length: 120 }, (_, i) => i % 40) })
    const text = (seed: number) =>
      makeFolds(trials, 'kfold:5', seed)
        .map((fold) => fold.test.join())
        .join('|')
    expect(text(1)).toBe(text(1))
    expect(text(1)).not.toBe(text(2))
    for (const fold of makeFolds(trials, 'kfold:5', 3)) expect(fold.test.length).toBe(24)
  })

  it.each([
    ['shipped', trialTable({ stimulus: [0, 1, 2] }), '0 train and 0 test trials'],
    ['leave-one-run-out', trialTable({ stimulus: [0, 1, 2] }), 'no run labels'],
    ['leave-one-run-out', trialTable({ stimulus: [0, 1, 2], run: [1, 1, 1] }), 'one run'],
    ['leave-one-run-out', trialTable({ stimulus: [0, 1, 2], run: [1, 2, -1] }), '1 of 3 trials without one'],
    ['leave-one-stimulus-out', trialTable({ stimulus: [4, 4] }), '1'],
    ['kfold:4', trialTable({ stimulus: [0, 1, 2] }), '4'],
    ['kfold:', trialTable({ stimulus: [0, 1, 2] }), 'nothing'],
    ['kfold:2.5', trialTable({ stimulus: [0, 1, 2] }), '2.5'],
    ['half', trialTable({ stimulus: [0, 1, 2] }), 'half'],
  ])('%s is refused where it is not possible', (split, trials, found) => {
    expect(() => makeFolds(trials, split, 0)).toThrow(`found ${found}`)
  })

  it('offers what is possible, with the reason for the rest', () => {
    const offers = offerSplits(trialTable({ stimulus: [0, 1, 2, 3, 4, 0], part: [0, 0, 0, 0, 0, 1] }))
    expect(offers.map(({ split, possible, folds }) => [split, possible, folds])).toEqual([
      ['shipped', true, 1],
      ['leave-one-run-out', false, 0],
      ['leave-one-stimulus-out', true, 5],
      ['kfold:5', true, 5],
    ])
    expect(offers[1].reason).toBe('no run labels')
    const many = offerSplits(trialTable({ stimulus: Array.from({ length: 300 }, (_, i) => i) }))
    expect(many[2].possible).toBe(false)
    expect(many[2].reason).toMatch(/300 stimuli/)
  })
})
