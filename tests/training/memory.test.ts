import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineMethods } from '../../src-main/actions/methods.ts'
import { engineMemory, openChannel } from '../../src-main/engine/channel.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { checkMemory, trainingBytes, trainingMemory } from '../../src-main/training/memory.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import { figures, quietly, writeSmallStudy } from '../subjects/support.ts'

const [VOXELS, TRIALS, TEST_TRIALS] = [2000, 120, 8]
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
