import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import type { ExperimentResult } from '../../src-main/actions/experiments/result.ts'
import type { RunsResult } from '../../src-main/actions/runs.ts'
import { ask, refusal } from './realCli.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'experiment-'))
const workspace = join(base, 'workspace')
const SUBJECT = 'simulated-24'
const small = [
  'items=stimulus',
  'pictures=false',
  'epochs=3',
  'projectorHidden=16',
  'width=8',
  'encoderSteps=10',
].flatMap((option) => ['--set', option])
const experiment = (...args: string[]) =>
  ask<ExperimentResult>(
    ...[
      'experiment',
      'width',
      '--workspace',
      workspace,
      '--subject',
      SUBJECT,
      '--preset',
      'small-study',
      ...small,
      ...args,
    ],
  )
const runsOf = async () => {
  const result = await ask<RunsResult>('runs', '--workspace', workspace)
  return 'runs' in result ? result.runs : []
}

beforeAll(() => ask('demo-subject', '--workspace', workspace, '--images', '24'), 120_000)
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

describe('experiment', () => {
  test('trains each place of its grid with each seed, once, and adds seeds to what is there', async () => {
    const first = await experiment('--values', '8,16', '--seeds', '1')
    expect(first.points.map(({ series, x }) => [series, x])).toEqual([
      ['held out', 8],
      ['held out', 16],
    ])
    expect(first.contrasts.every(({ ci95, shows }) => ci95 === undefined && shows === undefined)).toBe(true)
    expect(first.measures.map(({ chance }) => chance)).toEqual([1 / 12, 1 / 12])
    expect(first.conditions).toContain('pool of 12')

    const before = await runsOf()
    expect(before.map(({ config }) => (config.training as { hidden: number }).hidden).sort()).toEqual([16, 8].sort())
    const second = await experiment('--values', '8,16', '--seeds', '2')
    expect(await runsOf()).toHaveLength(4)
    for (const [i, { runs, scores }] of second.points.entries()) {
      expect(runs[0]).toBe(first.points[i].runs[0])
      expect(scores.image.values).toHaveLength(2)
      expect(scores.image.values[0]).toBe(first.points[i].scores.image.values[0])
    }
    for (const { title, measure, difference, ci95 } of second.contrasts) {
      const [low, high] = second.points.map(({ scores }) => scores[measure].mean)
      expect(title).toBe('16 units against 8')
      expect(difference).toBeCloseTo(high - low, 9)
      expect((ci95![0] + ci95![1]) / 2).toBeCloseTo(difference, 9)
    }
  }, 120_000)

  test('compares pictures with and without the low level, seed by seed, and goes on with what is there', async () => {
    const brief = ['hidden=16', 'blocks=0', 'epochs=2']
    const high = [
      ...brief,
      'tokens=17',
      'width=64',
      'projectorHidden=16',
      'prior=false',
      'regressionWeight=1',
      'augment=false',
    ]
    const low = [...brief, 'contrast=false', 'upsamplerWidth=32', 'latentChannels=8', 'mapSide=2']
    const lowLevel = (seeds: string, trials: string) =>
      ask<ExperimentResult>(
        ...['experiment', 'low-level', '--workspace', workspace, '--subject', SUBJECT, '--pack', 'demo'],
        ...['--preset', 'paper-subj01', ...high.flatMap((option) => ['--set', option])],
        ...['--low-preset', 'paper-low-level', ...low.flatMap((option) => ['--low-set', option])],
        ...['--seeds', seeds, '--trials', trials],
      )
    const first = await lowLevel('1', '2')
    expect(first.axis.labels).toEqual(['low', 'high', 'combined'])
    expect(first.measures.map(({ id }) => id)).toEqual(['pixcorr', 'ssim', 'pixel', 'object', 'scene', 'encoder'])
    expect(first.conditions).toContain('2 held-out patterns')
    expect(first.summary).toEqual([
      'combined against high: one seed says nothing.',
      'combined against low: one seed says nothing.',
    ])
    const before = await runsOf()
    const { points, contrasts, conditions, summary } = await lowLevel('2', '3')
    expect(await runsOf()).toHaveLength(before.length + 2)
    expect(conditions).toContain('3 held-out patterns')
    const [lowest, , combined] = points
    expect(combined.runs).toHaveLength(4)
    expect(combined.runs).toEqual(expect.arrayContaining([...lowest.runs, first.points[1].runs[0]]))
    const [against] = contrasts.filter(
      ({ title, measure }) => title === 'combined against low' && measure === 'pixcorr',
    )
    expect(against.difference).toBeCloseTo(combined.scores.pixcorr.mean - lowest.scores.pixcorr.mean, 9)
    expect(summary).toHaveLength(2)
    // The pictures of the first patterns are those that were there.
    const [run] = combined.runs
    const sets = fs.readdirSync(join(workspace, 'runs', run, 'reconstructions'))
    expect(sets).toHaveLength(1)
    const scored = await ask<Evaluation>('evaluate', '--workspace', workspace, '--run', run, '--set', sets[0])
    expect(combined.scores.pixcorr.values).toContain(scored.pixcorr!.mean)
    expect(combined.scores.object.values).toContain(scored.standIn!.object!.mean)
  }, 300_000)

  test('says what cannot be', async () => {
    const on = ['--workspace', workspace, '--subject', SUBJECT, '--seeds', '1']
    const ridge = await refusal('experiment', 'width', ...on, '--preset', 'ridge')
    expect(ridge).toMatchObject({ expected: 'a preset of the high-level decoder, which these claims are about' })
    const many = await refusal(
      'experiment',
      'mixing',
      ...on,
      '--preset',
      'small-study',
      '--set',
      'items=stimulus',
      '--values',
      '25',
    )
    const few = await refusal('experiment', 'low-level', ...on, '--preset', 'demo', '--values', '8')
    expect(few).toMatchObject({ expected: 'none for this experiment' })
    expect(many).toMatchObject({ expected: '25 training examples, as --set samples=25 asks for', found: '24' })
  })
})
