import { describe, expect, it } from 'vitest'
import { presetsAction } from '../../src-main/actions/presets.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import type { RunRecord } from '../../src-main/workspace/index.ts'
import { currentExplanation, explanations, hits, parseBatch } from '../../src-renderer/training/batch.ts'
import { changedOptions, differences } from '../../src-renderer/training/compareRuns.ts'
import { RunCurves, smooth, smoothingShare, smoothingWeight, stepOfEpoch } from '../../src-renderer/training/curves.ts'
import { groupOptions, presetValues, searchOptions, unusedBecause } from '../../src-renderer/training/options.ts'
import { assignSlots, styleOf } from '../../src-renderer/training/series.ts'

const listed = await presetsAction.run({} as never, {}, {} as never)

describe('curves', () => {
  const lines = (...rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

  it('grow fold by fold, and go back where a resumed run does', () => {
    const curves = new RunCurves()
    curves.append(lines({ fold: 0, epoch: 0, step: 0, loss: 3 }, { fold: 0, epoch: 0, step: 1, loss: 2 }))
    curves.append(lines({ fold: 0, epoch: 1, step: 2, loss: 9 }, { fold: 1, epoch: 0, step: 0, loss: 4, prior: 1 }))
    curves.append(lines({ fold: 0, epoch: 0, step: 1, loss: 2.5 }))
    const { step, values } = curves.folds.get(0)!
    expect([step, values.get('loss')]).toEqual([
      [0, 1],
      [3, 2.5],
    ])
    expect(curves.names()).toEqual(['loss', 'prior'])
    expect(curves.last()).toEqual({ fold: 1, step: 0, epoch: 0 })
    expect(new RunCurves().last()).toBeUndefined()
  })

  it('tell where an epoch begins, also when steps are missing', () => {
    const curve = { step: [0, 5, 9], epoch: [0, 2, 3], values: new Map() }
    expect([stepOfEpoch(curve, 1), stepOfEpoch(curve, 3), stepOfEpoch(curve, 4)]).toEqual([5, 9, undefined])
  })

  it('are smoothed by steps, not by lines, and without a bias to zero', () => {
    const steps = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    expect(smooth(steps, new Array(10).fill(5), 0.9)).toEqual(expect.arrayContaining([expect.closeTo(5, 12)]))
    expect(smooth(steps, steps, 0)).toEqual(steps)
    const [dense] = smooth(steps, steps, 0.5).slice(-1)
    // Half of the lines: the same average of the last steps, as near as half of them can tell.
    const odd = [1, 3, 5, 7, 9]
    expect(smooth(odd, odd, 0.5).at(-1)).toBeCloseTo(8.33, 1)
    expect(dense).toBeCloseTo(8.01, 1)
    expect(smooth([0, 1, 2], [1, NaN, 3], 0)).toEqual([1, 1, 3])
    // A share of the steps: the longer the curve, the more of them.
    expect([smoothingShare(0), smoothingShare(1)]).toEqual([0, 0.1])
    expect(smoothingWeight(0, 99)).toBe(0)
    expect(smoothingWeight(0.1, 99)).toBeCloseTo(Math.exp(-1 / 10), 9)
  })
})

describe('the batch of a snapshot', () => {
  const facts = { fold: 0, epoch: 1, step: 9, loss: 'bimixco', mixing: 'mixco', temperature: 0.1, stimuli: [4, 2] }
  const matrix = (...data: number[]) => ({ dtype: 'float32' as const, shape: [2, 2], data: Float32Array.from(data) })
  const file = encodeSafetensors(
    { similarity: matrix(0.5, 0.25, 0.75, -1), target: matrix(1, 0, 0, 1) },
    { batch: JSON.stringify(facts) },
  )

  it('is read as it was written', () => {
    const batch = parseBatch(Uint8Array.from(file).buffer)
    expect(batch.facts).toEqual(facts)
    expect([batch.size, [...batch.similarity], [...batch.target]]).toEqual([2, [0.5, 0.25, 0.75, -1], [1, 0, 0, 1]])
    expect(hits(batch)).toBe(1)
  })

  it('knows which loss it went through', () => {
    const of = (loss: string, mixing: string) => currentExplanation({ ...facts, loss, mixing } as never)
    expect([
      of('bimixco', 'none'),
      of('bimixco', 'mixup'),
      of('softclip', 'none'),
      of('soft-contrast', 'none'),
    ]).toEqual([...['infonce', 'mixup', 'softclip', 'soft-contrast']])
    expect(explanations.map(({ id }) => id)).toContain(of('bimixco', 'mixco'))
  })
})

describe('options', () => {
  it('are all in a group, once', () => {
    const names = groupOptions(listed.options).flatMap(({ options }) => options.map(({ name }) => name))
    expect(names.toSorted()).toEqual(listed.options.map(({ name }) => name).toSorted())
    expect(groupOptions(listed.options).map(({ title }) => title)).not.toContain('Other')
  })

  it('are found by name and meaning', () => {
    expect(searchOptions(listed.options, 'dropout BLOCKS').map(({ name }) => name)).toEqual(['dropoutBlocks'])
    expect(searchOptions(listed.options, 'temperature mixco').map(({ name }) => name)).toContain('mixTemperature')
  })

  it('say when they have no effect', () => {
    const values = (preset: string) =>
      presetValues(
        listed.options,
        listed.presets.find(({ id }) => id === preset)!,
      )
    expect(unusedBecause('mapSide', values('demo'))).toContain('low-level')
    expect(unusedBecause('hidden', values('ridge'))).toContain('ridge')
    expect(unusedBecause('priorDepth', values('paper-1x768'))).toBeUndefined()
    expect(unusedBecause('encoderKl', values('paper-1x768'))).toContain('study')
    expect(unusedBecause('pictures', values('small-study'))).toBeUndefined()
    expect(unusedBecause('pictures', values('ridge'))).toBeUndefined()
    expect(unusedBecause('encoderPixels', { ...values('ridge'), targets: 'clip' })).toContain('study')
    expect(unusedBecause('encoderPixels', { ...values('ridge'), targets: 'clip', pictures: true })).toBeUndefined()
    expect(unusedBecause('blendFolds', { ...values('small-study'), pictures: false })).toContain('pictures are decoded')
    expect(unusedBecause('blendFolds', values('ridge'))).toContain('ridge')
    expect(unusedBecause('pictures', values('paper-1x768'))).toContain('study')
    for (const preset of ['demo', 'ridge', 'paper-low-level'])
      expect(unusedBecause('method', values(preset))).toBeUndefined()
  })
})

const run = (id: string, preset: string, changes: Record<string, string>, seed = 42): RunRecord =>
  ({
    ...{ version: 1, id, subject: 's', preset, state: 'done', created: '', summary: {} },
    config: { training: presetConfig(preset, changes), split: 'shipped', seed, backend: { device: 'a card' } },
  }) as unknown as RunRecord

describe('runs', () => {
  it('are compared by what they were told, with meaning and unit', () => {
    const rows = differences(
      [run('a', 'demo', { hidden: '64' }), run('b', 'demo', { maxLr: '0.01' }, 7)],
      listed.options,
    )
    expect(rows.map(({ name, values }) => [name, values])).toEqual([
      ['seed', ['42', '7']],
      ['hidden', ['64', '512']],
      ['maxLr', ['0.001', '0.01']],
    ])
    expect(rows[1]).toMatchObject({ unit: 'units', meaning: expect.stringContaining('hidden width') as string })
  })

  it('tell what was changed from their preset', () => {
    const demo = presetValues(
      listed.options,
      listed.presets.find(({ id }) => id === 'demo')!,
    )
    expect(changedOptions(run('a', 'demo', { hidden: '64', mixing: 'none' }), demo)).toEqual([
      { name: 'hidden', value: 64 },
      { name: 'mixing', value: 'none' },
    ])
  })

  it('keep their hue, and never share it while eight or fewer are shown', () => {
    const first = assignSlots(['a', 'b', 'c'], {})
    expect(first).toEqual({ a: 0, b: 1, c: 2 })
    const second = assignSlots(['d', 'c', 'a'], first)
    expect(second).toMatchObject({ a: 0, c: 2, d: 1 })
    const third = assignSlots(['b', 'd'], second)
    expect(new Set([third.b, third.d]).size).toBe(2)
    const eight = assignSlots([...'abcdefgh'], {})
    expect(new Set(Object.values(eight).map((slot) => JSON.stringify(styleOf(slot)))).size).toBe(8)
  })
})
