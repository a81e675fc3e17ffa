import { fileURLToPath } from 'node:url'
import { beforeAll, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { properties, representations } from '../../src-main/evaluation/experiments.ts'
import { readOut } from '../../src-main/evaluation/readOut.ts'

beforeAll(() => loadBackend())

/** Untrained networks of a few thousand numbers. */
const model = (name: string) => fileURLToPath(new URL(`../fixtures/hf_models/${name}`, import.meta.url))
const job = {
  clip: model('clip_vision_p8/model'),
  autoencoder: model('vae_c8_16_16/vae'),
  ...{ seed: 3, train: 80, test: 40 },
}
const quiet = { signal: new AbortController().signal, progress() {} }

it('reads every property from every representation, the same for the same seed', async () => {
  let [last, total] = [0, 0]
  const progress = (report: { done: number; total: number }) => {
    expect(report.done).toBeGreaterThan(last)
    ;[last, total] = [report.done, report.total]
  }
  const result = await readOut(job, { ...quiet, progress })
  expect(last).toBe(total)
  for (const representation of representations)
    for (const property of properties) {
      expect(result[representation][property]).toBeLessThan(1)
      expect(Number.isFinite(result[representation][property])).toBe(true)
    }
  // Even untrained, any of them tells the background's colour, and a map of places where objects are; none of them what they are.
  for (const name of representations) expect(result[name].colour).toBeGreaterThan(0.2)
  expect(result['autoencoder latent'].layout).toBeGreaterThan(result['class token'].layout + 0.1)
  expect(result['class token'].category).toBeLessThan(0.3)
  expect(await readOut(job, quiet)).toEqual(result)
}, 60_000)

it('can be stopped', async () => {
  const stop = new AbortController()
  const work = readOut(job, { signal: stop.signal, progress: () => stop.abort() })
  await expect(work).rejects.toThrow(/abort/i)
})
