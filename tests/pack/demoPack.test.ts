import * as fs from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { judge } from '../../scripts/pack/judge.ts'
import { heldOutScenes, SIDE, trainingScenes } from '../../scripts/pack/world.ts'
import { layout } from '../../src-main/base/layout.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { verifyPack } from '../../src-main/models/pack.ts'
import { builtInPack } from '../../src-main/workspace/index.ts'

const folder = layout.resource('packs/demo')

beforeAll(() => loadBackend())

describe('the demo pack', () => {
  it('is whole, is what its record says, and is small enough to come with the program', () => {
    const report = verifyPack(folder)
    const ready = report.parts.filter(({ state }) => state === 'ready')
    expect(report.parts.flatMap(({ faults }) => faults)).toEqual([])
    expect(ready.map(({ part }) => part)).toEqual(['image_encoder', 'image_unet', 'vae', 'scheduler', 'classifier'])
    expect(builtInPack()).toMatchObject({
      id: 'demo',
      fingerprint: report.fingerprint,
      parts: ready.map(({ part }) => part),
    })
    const bytes = fs
      .readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .reduce((sum, { parentPath, name }) => sum + fs.statSync(join(parentPath, name)).size, 0)
    expect(bytes).toBeLessThan(25e6)
  })

  it('makes pictures of unseen scenes from their tokens in which the classifier finds their objects', async () => {
    const all = await heldOutScenes()
    const { named, pixCorr, decibel } = judge(
      folder,
      { ...all, scenes: all.scenes.slice(0, 32) },
      { steps: 10, guidance: 1.5 },
    )
    expect(named.originals.any).toBeGreaterThan(0.95)
    expect(named.autoencoded.any).toBeGreaterThan(0.9)
    expect(decibel).toBeGreaterThan(23)
    expect(named.reconstructed.any).toBeGreaterThan(0.7)
    expect(pixCorr.reconstructed).toBeGreaterThan(0.8)
  })
})

it('is judged by scenes that no scene of the training is a near copy of', async () => {
  const [heldOut, training] = [await heldOutScenes(), await trainingScenes(300)]
  expect(heldOut.scenes).toHaveLength(1000)
  expect(training.pictures).toHaveLength(300 * SIDE * SIDE * 3)
  const keys = new Set(heldOut.scenes.map((scene) => JSON.stringify(scene)))
  expect(training.scenes.some((scene) => keys.has(JSON.stringify(scene)))).toBe(false)
})
