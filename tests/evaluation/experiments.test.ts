import { describe, expect, it } from 'vitest'
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
  }
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
