import { describe, expect, it } from 'vitest'
import { contrastResults, inWords, seedScore } from '../../src-main/actions/experiments/result.ts'
import { trainedExperiments } from '../../src-main/evaluation/experiments.ts'
import { mean, standardDeviation } from '../../src-main/evaluation/statistics.ts'
import { studentInterval } from '../../src-main/evaluation/student.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { stepsPerEpoch } from '../../src-main/training/plan.ts'

describe('the mixing experiment', () => {
  it('gives few examples as many steps as all of them', () => {
    const config = presetConfig('small-study')
    const steps = (x: number, epochs: number) => epochs * stepsPerEpoch(x, config.batchSize)
    for (const examples of [107, 600]) {
      const cells = trainedExperiments.mixing.cells(trainedExperiments.mixing.values(examples), examples, config)
      expect(new Set(cells.map(({ series }) => series))).toEqual(new Set(['none', 'mixup', 'mixco']))
      const all = steps(examples, config.epochs)
      for (const { x, set } of cells) expect(steps(x, Number(set.epochs)) / all).toBeCloseTo(1, 1)
      expect(cells.at(-1)).toMatchObject({ x: examples, set: { samples: `${examples}`, epochs: `${config.epochs}` } })
    }
  })
})

it.each(Object.entries(trainedExperiments))('%s compares places that it has', (_, experiment) => {
  for (const values of [experiment.values(200), [8, 16], [64]]) {
    const cells = experiment.cells(values, 200, presetConfig('small-study'))
    const places = cells.map(({ series, x }) => `${series} ${x}`)
    expect(new Set(places).size).toBe(places.length)
    for (const { of, against } of experiment.contrasts(values))
      for (const { series, x } of [of, against]) expect(places).toContain(`${series} ${x}`)
    const titles = experiment.contrasts(values).map(({ title, of, against }) => {
      expect(of).not.toEqual(against)
      return title
    })
    expect(new Set(titles).size).toBe(titles.length)
  }
})

describe('what contrasts show, in words', () => {
  const measures = ['image', 'brain'].map((id) => ({ id, title: `top-1 ${id}`, chance: 0.1 }))
  const points = [
    { x: 8, image: [0.1, 0.2, 0.3], brain: [0.5, 0.4, 0.6] },
    { x: 16, image: [0.31, 0.4, 0.5], brain: [0.5, 0.5, 0.5] },
  ].map(({ x, image, brain }) => ({
    ...{ series: 'held out', x, runs: [] },
    scores: { image: seedScore(image), brain: seedScore(brain) },
  }))
  const contrast = (x: number, other: number) => ({
    title: `${x} against ${other}`,
    of: { series: 'held out', x },
    against: { series: 'held out', x: other },
  })

  it('is a sentence for each comparison', () => {
    const results = contrastResults([contrast(16, 8), contrast(8, 16)], points, measures)
    expect(results[0]).toMatchObject({ measure: 'image', shows: 'better' })
    expect(results[0].difference).toBeCloseTo(0.61 / 3, 9)
    expect(inWords(results, measures)).toEqual([
      '16 against 8: better in top-1 image; no difference shows in top-1 brain.',
      '8 against 16: worse in top-1 image; no difference shows in top-1 brain.',
    ])
  })

  it('is nothing for one seed', () => {
    const single = points.map((point) => ({ ...point, scores: { image: seedScore([0.1]), brain: seedScore([0.2]) } }))
    expect(inWords(contrastResults([contrast(16, 8)], single, measures), measures)).toEqual([
      '16 against 8: one seed says nothing.',
    ])
  })
})

describe('studentInterval', () => {
  // scipy.stats.t.interval(0.95, n - 1, mean, sem)
  it.each([
    [
      [1, 2],
      [-4.853102, 7.853102],
    ],
    [
      [0.7, 0.8, 0.75],
      [0.625793, 0.874207],
    ],
    [
      [1, 2, 3, 4, 5],
      [1.036757, 4.963243],
    ],
  ])('of %j', (values, expected) => {
    const interval = studentInterval(values)!
    for (const side of [0, 1]) expect(interval[side]).toBeCloseTo(expected[side], 3)
  })

  it('does not exist for one value, and nears the normal one for many', () => {
    expect(studentInterval([3])).toBeUndefined()
    const many = Array.from({ length: 400 }, (_, i) => Math.sin(i))
    const half = (1.96 * standardDeviation(many)) / 20
    expect(studentInterval(many)![1]).toBeCloseTo(mean(many) + half, 9)
  })
})
