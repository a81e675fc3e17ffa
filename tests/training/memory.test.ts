import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineMethods } from '../../src-main/actions/methods.ts'
import { engineMemory, openChannel } from '../../src-main/engine/channel.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import type { TrainingOptions } from '../../src-main/training/fields.ts'
import { checkMemory, trainingBytes, trainingMemory } from '../../src-main/training/memory.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { figures, quietly, writeSmallStudy } from '../subjects/support.ts'
import { completed } from './smallTraining.ts'

const [VOXELS, TRIALS, TEST_TRIALS] = [2000, 120, 8]
const small = { hidden: 128, blocks: 1, projectorHidden: 128, tokens: 65, width: 256 }
const lowLevel: TrainingOptions = { method: 'low-level', hidden: 512, blocks: 1, batchSize: 8 }
const home = mkdtempSync(join(tmpdir(), 'mindeye-memory-'))
const subjectFolder = join(home, 'subject')

beforeAll(async () => {
  const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 12)
  const study = { train: shown(TRIALS), test: shown(TEST_TRIALS), V: VOXELS, side: 12, figures: figures(12, 12) }
  await importPaths([writeSmallStudy(home, study).path], { id: 's', map: {} }, subjectFolder, quietly())
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Highest resident memory of a process so far, in bytes. */
const peakOf = (pid: number): number =>
  1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])

// The peak of a process is told by Linux only.
describe.runIf(process.platform === 'linux')('the estimated memory of a training', () => {
  it.each<[string, Record<string, string>]>([
    ['small-study', {}],
    ['small-study', { hidden: '3072', projectorHidden: '2048' }],
    ['small-study', { hidden: '1024', blocks: '8', batchSize: '100', projectorHidden: '4096' }],
    ['ridge', {}],
  ])('of %s with %j lies within 15 percent of the measured peak', async (preset, changes) => {
    const short: Record<string, string> = preset === 'ridge' ? {} : { epochs: '4' }
    const config = presetConfig(preset, { encoderSteps: '30', ...short, ...changes })
    const runFolder = mkdtempSync(join(home, 'run-'))
    const engine = openChannel<EngineMethods>({
      name: 'engine',
      entry: resolve('src-main/hosts/engine.ts'),
      env: engineMemory,
    })
    try {
      await engine.call('train', { runFolder, subjectFolder, config, split: 'shipped', seed: 1, networks: {} })
      const ratio = trainingBytes(config, VOXELS, TRIALS) / peakOf(engine.pid!)
      expect(ratio).toBeGreaterThan(0.85)
      expect(ratio).toBeLessThan(1.15)
    } finally {
      await engine.close()
    }
  })

  it.each<[string, TrainingOptions, number]>([
    ['many tokens', { hidden: 256, tokens: 100, width: 64 }, 4000],
    ['the diffusion prior', { ...small, prior: true, priorDepth: 3, priorHeads: 4 }, 400],
    ['low level', { ...lowLevel, contrast: false }, 500],
    ['low level with contrast', lowLevel, 500],
  ])('of %s lies within 15 percent of the measured peak', async (_, options, voxels) => {
    const child = resolve('tests/training/fewSteps.ts')
    const env = { ...process.env, ...engineMemory }
    const { stdout } = await promisify(execFile)(process.execPath, [child, JSON.stringify(options), String(voxels)], {
      env,
    })
    const config = completed(options)
    // Targets and tokens are random here, so there is no pretrained network.
    const { encoder } = trainingMemory(config, voxels, config.batchSize)
    const ratio = (trainingBytes(config, voxels, config.batchSize) - encoder) / (1024 * Number(stdout))
    expect(ratio).toBeGreaterThan(0.85)
    expect(ratio).toBeLessThan(1.15)
  })
})

it('the full-size models need what was measured, and more than that is refused', () => {
  const paper = presetConfig('paper-subj01')
  const { parameters } = trainingMemory(paper, 15_724, 27_000)
  // Three numbers of four bytes for each of a billion parameters.
  expect(parameters).toBeGreaterThan(12 * 1_003_635_088)
  const needed = trainingBytes(paper, 15_724, 27_000)
  expect(() => checkMemory(needed, needed)).not.toThrow()
  expect(() => checkMemory(needed, needed - 1)).toThrow(/memory: expected \d+\.\d GB.*found \d+\.\d GB/)
})
