import { describe, expect, it } from 'vitest'
import type { ExperimentResult } from '../../src-main/actions/experiments/result.ts'
import { seedScore } from '../../src-main/actions/experiments/result.ts'
import {
  askedAbout,
  askedInWords,
  curvesOf,
  movedApart,
  reachOf,
  type ExperimentJob,
} from '../../src-renderer/evaluation/insights.ts'

const result: ExperimentResult = {
  ...{ experiment: 'mixing', claim: 'It helps.', conditions: ['subj01'], seeds: [1, 2] },
  axis: { title: 'Training examples', unit: 'examples' },
  measures: [{ id: 'image', title: 'top-1', chance: 0.1 }],
  points: ['none', 'mixco'].flatMap((series, i) =>
    [8, 16].map((x) => ({ series, x, runs: [`${series}-${x}`], scores: { image: seedScore([0.2 + i / 10, 0.3]) } })),
  ),
  ...{ contrasts: [], summary: [] },
}
const job = (id: number, changes: object, more: Partial<ExperimentJob> = {}): ExperimentJob => ({
  ...{ id, state: 'done', created: '2026-11-26T09:00:00Z', result },
  input: { name: 'mixing', subject: 'subj01', preset: 'demo', lowPreset: 'low', seeds: 2, ...changes },
  ...more,
})

describe('experiments about a subject', () => {
  const jobs = [
    job(1, {}),
    job(5, { seeds: 3 }),
    job(7, { seeds: 5 }, { state: 'cancelled', result: undefined }),
    job(6, { preset: 'small-study', values: '8,16', seeds: 9 }),
    job(8, { subject: 'subj02' }),
    job(9, { name: 'embedding', subject: undefined, pack: 'demo' }),
  ]

  it('are questions, the newest first, whatever number of seeds', () => {
    const asked = askedAbout(jobs, 'mixing', 'subj01')
    expect(asked.map(({ last, done }) => [last.id, done?.id])).toEqual([
      [7, 5],
      [6, 6],
    ])
    expect(asked.map(askedInWords)).toEqual(['demo, 2 seeds', 'small-study, at 8, 16, 2 seeds'])
    expect(askedAbout(jobs, 'width', 'subj01')).toEqual([])
  })

  it('are about every subject where they have none', () => {
    const [asked] = askedAbout(jobs, 'embedding', 'subj02')
    expect(askedInWords(asked)).toBe('pack demo, 2 seeds')
  })
})

describe('curves', () => {
  it('have a line per series, over the axis', () => {
    const curves = curvesOf(result, 'image')
    expect(curves.map(({ series, points }) => [series, points.map(({ x, label }) => [x, label])])).toEqual([
      [
        'none',
        [
          [8, '8'],
          [16, '16'],
        ],
      ],
      [
        'mixco',
        [
          [8, '8'],
          [16, '16'],
        ],
      ],
    ])
    const named = curvesOf({ ...result, axis: { title: 'Pictures', unit: '', labels: ['low', 'high'] } }, 'image')
    expect(named[0].points[0].label).toBe('8')
  })

  it('reach over all seeds, intervals and chance', () => {
    const curves = curvesOf(result, 'image')
    const ends = curves.flatMap(({ points }) => points.flatMap(({ score }) => score.ci95!))
    const [low, high] = reachOf(curves, 0.1)
    expect(low).toBeLessThan(Math.min(...ends))
    expect(high).toBeGreaterThan(Math.max(...ends))
    expect(high - Math.max(...ends)).toBeCloseTo(Math.min(...ends) - low, 9)
  })
})

it('names at the ends of lines are moved apart, within the chart', () => {
  expect(movedApart([10, 50], 13, 100)).toEqual([10, 50])
  expect(movedApart([20, 18, 19], 13, 100)).toEqual([44, 18, 31])
  expect(movedApart([95, 98], 13, 100)).toEqual([87, 100])
})
