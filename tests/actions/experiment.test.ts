import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ExperimentResult } from '../../src-main/actions/experiments/result.ts'
import type { RunsResult } from '../../src-main/actions/runs.ts'
import { ask, refusal } from './realCli.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'experiment-'))
const workspace = join(base, 'workspace')
const SUBJECT = 'simulated-24'
const small = ['epochs=3', 'projectorHidden=16', 'width=8', 'encoderSteps=10'].flatMap((option) => ['--set', option])
const experiment = (...args: string[]) =>
  ask<ExperimentResult>(
    ...['experiment', 'width', '--workspace', workspace, '--subject', SUBJECT, '--preset', 'demo', ...small, ...args],
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

  test('says what cannot be', async () => {
    const on = ['--workspace', workspace, '--subject', SUBJECT, '--seeds', '1']
    const ridge = await refusal('experiment', 'width', ...on, '--preset', 'ridge')
    expect(ridge).toMatchObject({ expected: 'a preset of the high-level decoder, which these claims are about' })
    const many = await refusal('experiment', 'mixing', ...on, '--preset', 'demo', '--values', '25')
    expect(many).toMatchObject({ expected: '25 training examples, as --set samples=25 asks for', found: '24' })
  })
})
