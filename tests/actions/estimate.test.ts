import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src-main/actions/context.ts'
import { estimateAction, type Estimate } from '../../src-main/actions/estimate.ts'
import { validateInput } from '../../src-main/actions/validate.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { checkMemory, trainingBytes } from '../../src-main/training/memory.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { figures, quietly, writeSmallStudy } from '../subjects/support.ts'

const home = mkdtempSync(join(tmpdir(), 'mindeye-estimate-'))
const path = join(home, 'workspace')
const ctx = createContext(() => {})
const [VOXELS, IMAGES] = [50, 12]
const IMAGE = { height: 8, width: 8, channels: 1 } as const

beforeAll(async () => {
  const workspace = Workspace.open(path, { create: true })
  // 24 training trials of ten pictures; the test shows two that training has, and two new ones.
  const train = Array.from({ length: 24 }, (_, i) => i % 10)
  const study = { train, test: [0, 1, 10, 11], V: VOXELS, side: 8, figures: figures(IMAGES, 8) }
  const staging = workspace.subjects.stage('s')
  await importPaths([writeSmallStudy(home, study).path], { id: 's', map: {} }, staging.folder, quietly())
  staging.commit()
  workspace.close()
})
afterAll(async () => {
  await ctx.close()
  rmSync(home, { recursive: true, force: true })
})

const estimate = async (input: Record<string, unknown>): Promise<Estimate> =>
  estimateAction.run(ctx, await validateInput(estimateAction, { workspace: path, subject: 's', ...input }), quietly())

describe('estimate', () => {
  it('tells what a training will do, and asks for as much memory as its start does', async () => {
    const answer = await estimate({ split: 'shipped', set: ['batchSize=5'] })
    const config = presetConfig('small-study', { batchSize: '5' })
    expect(answer.problems).toEqual([])
    expect(answer.options).toEqual(config)
    expect(answer.split).toMatchObject({ folds: 1, trainTrials: [24, 24], testTrials: [4, 4], examples: [24, 24] })
    expect(answer.steps).toBe(100 * 4)
    expect(answer.memory!.needed).toBe(trainingBytes(config, VOXELS, 28, IMAGE))
    expect(() => checkMemory(trainingBytes(config, VOXELS, 28, IMAGE), answer.memory!.available)).not.toThrow()
  })

  it('counts folds, and held-out trials whose picture training sees', async () => {
    const shipped = await estimate({ split: 'shipped' })
    expect(shipped.split).toMatchObject({ heldOut: 4, seenInTraining: 2 })
    expect(shipped.split!.warnings[0]).toContain('2 of 4 held-out trials')
    const kfold = await estimate({ split: 'kfold:3', preset: 'demo' })
    expect(kfold.split).toMatchObject({ folds: 3, heldOut: 28, seenInTraining: 0, warnings: [] })
    expect(kfold.split!.examples).toEqual([7, 9]) // demo trains on pictures; folds have equally many trials
    expect(kfold.steps).toBe(3 * 60)
    expect((await estimate({ preset: 'ridge' })).steps).toBe(0)
  })

  it('names every field at fault, and still tells what it can', async () => {
    const answer = await estimate({ split: 'kfold:99', set: ['hidden=-3', 'mixShare=2', 'nonsense=1'] })
    const byField = new Map(answer.problems.map((problem) => [problem.field, problem]))
    expect([...byField.keys()].sort()).toEqual(['hidden', 'mixShare', 'nonsense', 'split'])
    expect(byField.get('hidden')).toMatchObject({ expected: 'at least 1', found: '-3' })
    expect(byField.get('split')!.expected).toContain('2 to 12')
    expect(answer.options).toBeUndefined()
    const pack = await estimate({ preset: 'paper-1x768' })
    expect(pack.problems).toEqual([expect.objectContaining({ field: 'pack', found: 'none' })])
    expect(pack.parameters).toBeGreaterThan(1e7)
  })

  it('refuses what this machine cannot hold', async () => {
    const answer = await estimate({ set: ['hidden=200000', 'blocks=4'] })
    expect(answer.memory!.needed).toBeGreaterThan(answer.memory!.available)
    expect(answer.problems).toEqual([expect.objectContaining({ field: 'memory' })])
    expect(estimateAction.exitCode!(answer)).toBe(1)
    expect(estimateAction.format!(answer)).toMatch(/memory: expected [\d.]+ GB for this training, found [\d.]+ GB/)
  })
})
