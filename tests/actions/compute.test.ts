import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { computeAction } from '../../src-main/actions/compute.ts'
import { createContext } from '../../src-main/actions/context.ts'
import { deviceEnvironment } from '../../src-main/engine/devices.ts'
import { readSettings } from '../../src-main/workspace/settings.ts'

const root = mkdtempSync(join(tmpdir(), 'compute-'))
const workspace = join(root, 'workspace')
const ctx = createContext(() => {})
const options = { signal: new AbortController().signal, progress: () => {} }
const run = (input: { device?: string; threads?: number }) => computeAction.run(ctx, { workspace, ...input }, options)
const path = process.env.PATH

beforeAll(() => {
  // A machine with two cards, as its driver tells.
  const smi = join(root, 'nvidia-smi')
  writeFileSync(smi, '#!/bin/sh\necho "0, NVIDIA A100-SXM4-80GB, 81920, 81000"\necho "1, NVIDIA T4, 15360, 15000"\n')
  chmodSync(smi, 0o755)
})
afterAll(async () => {
  process.env.PATH = path
  await ctx.close()
  rmSync(root, { recursive: true, force: true })
})

test('without a driver there is the processor, and any card is refused', async () => {
  const { devices, settings, cores } = await run({})
  expect(devices.map(({ id }) => id)).toEqual(['cpu'])
  expect(settings).toEqual({ device: 'auto', threads: 0 })
  expect(cores).toBeGreaterThan(0)
  await expect(run({ device: '0' })).rejects.toThrow("expected one of auto, cpu, found '0'")
})

test.skipIf(process.platform === 'win32')(
  'cards are told with their memory; the choice is kept and moves the engine',
  async () => {
    process.env.PATH = `${root}${delimiter}${path}`
    const { devices } = await run({})
    expect(devices.slice(1)).toEqual([
      { id: '0', name: 'NVIDIA A100-SXM4-80GB', memory: { total: 81920 * 2 ** 20, free: 81000 * 2 ** 20 } },
      { id: '1', name: 'NVIDIA T4', memory: { total: 15360 * 2 ** 20, free: 15000 * 2 ** 20 } },
    ])
    const before = ctx.engine()
    expect(ctx.engine()).toBe(before)
    expect((await run({ device: '1', threads: 1 })).settings).toEqual({ device: '1', threads: 1 })
    expect(readSettings(workspace)).toEqual({ device: '1', threads: 1 })
    const after = ctx.engine()
    expect(after).not.toBe(before)
    await before.exited
    expect(await after.call('backend', {})).toMatchObject({ threads: 1 })
  },
)

test('an engine process sees the chosen device alone', () => {
  expect(deviceEnvironment('auto', 0)).toEqual({})
  expect(deviceEnvironment('cpu', 0)).toMatchObject({ CUDA_VISIBLE_DEVICES: '-1' })
  expect(deviceEnvironment('1', 4)).toEqual({
    CUDA_VISIBLE_DEVICES: '1',
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    TF_NUM_INTRAOP_THREADS: '4',
  })
})
