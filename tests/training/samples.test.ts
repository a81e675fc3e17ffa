import { describe, expect, it } from 'vitest'
import { distinct } from '../../src-main/base/distinct.ts'
import { makeFolds } from '../../src-main/subjects/splits.ts'
import { trainingFolds } from '../../src-main/training/examples.ts'
import { trialTable } from '../subjects/support.ts'

/** 40 trials of 20 stimuli, each shown twice; the first 32 trials are for training. */
const rows = Array.from({ length: 40 }, (_, row) => row)
const trials = trialTable({ stimulus: rows.map((row) => row % 20), part: rows.map((row) => (row < 32 ? 0 : 1)) })

const trainRows = (items: 'trial' | 'stimulus', samples: number, seed = 1) =>
  trainingFolds(trials, 'shipped', seed, { items, samples })[0].train

describe('training on a part of the examples', () => {
  it('with 0 is the whole fold', () => {
    expect(trainRows('trial', 0)).toEqual(makeFolds(trials, 'shipped', 1)[0].train)
  })

  it.each(['trial', 'stimulus'] as const)('takes %s examples by the seed, fewer as a part of more', (items) => {
    const exampleOf = (row: number) => (items === 'trial' ? row : trials.stimulus[row])
    const [few, more] = [trainRows(items, 5), trainRows(items, 12)]
    expect(distinct(few.map(exampleOf))).toHaveLength(5)
    expect(distinct(more.map(exampleOf))).toHaveLength(12)
    expect([...few].every((row) => more.includes(row))).toBe(true)
    expect(trainRows(items, 5)).toEqual(few)
    expect(trainRows(items, 5, 2)).not.toEqual(few)
    // A stimulus comes with all its training trials.
    if (items === 'stimulus')
      for (const row of makeFolds(trials, 'shipped', 1)[0].train)
        expect(few.includes(row)).toBe(few.some((own) => trials.stimulus[own] === trials.stimulus[row]))
  })

  it('leaves what is held out as it is', () => {
    const [all, some] = [0, 5].map((samples) => trainingFolds(trials, 'shipped', 1, { items: 'trial', samples })[0])
    expect(some.test).toEqual(all.test)
  })

  it('refuses more examples than there are', () => {
    expect(() => trainRows('trial', 33)).toThrow(/expected 33 training examples.*found 32/)
    expect(() => trainRows('stimulus', 21)).toThrow(/found 20/)
  })
})
