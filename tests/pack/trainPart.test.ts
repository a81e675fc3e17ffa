import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LatentData } from '../../scripts/pack/denoiser.ts'
import { denoiserJson, denoiserTraining } from '../../scripts/pack/denoiser.ts'
import { trainPart } from '../../scripts/pack/trainPart.ts'
import type { PartTraining, TrainOptions } from '../../scripts/pack/trainPart.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { loadDenoiser } from '../../src-main/models/loadDenoiser.ts'
import { readSchedule } from '../../src-main/models/packParts.ts'
import type { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'

beforeAll(() => loadBackend())

const base = fs.mkdtempSync(join(tmpdir(), 'train-part-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const json = {
  ...denoiserJson,
  ...{ latent_channels: 2, sample_size: 4, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1 },
  ...{ num_attention_heads: 2, num_tokens: 5, token_width: 3 },
}

const random = new Random(4)
const numbers = (length: number) => Float32Array.from({ length }, () => random.normal())
const data: LatentData = { count: 6, latents: numbers(6 * 32), tokens: numbers(6 * 15) }
const training = (steps = 8) => denoiserTraining(data, { batch: 3, steps, json })

const options = (name: string, rest: Partial<TrainOptions> = {}): TrainOptions => ({
  ...{ checkpoint: join(base, name), seed: 5, report: () => {}, secondsBetween: { checkpoints: 1000, reports: 1000 } },
  ...rest,
})
const weights = (parameters: Parameters) =>
  Object.fromEntries([...parameters].map((p) => [p.name, [...p.download('value')].flatMap((part) => [...part])]))

/** The training, stopped from outside during the given step. */
function stoppedAt(step: number, part: PartTraining): { part: PartTraining; signal: AbortSignal } {
  const stop = new AbortController()
  let done = 0
  const terms: PartTraining['terms'] = (...args) => {
    if (done++ === step) stop.abort()
    return part.terms(...args)
  }
  return { part: { ...part, terms }, signal: stop.signal }
}

describe('the training of a part', () => {
  it('ends with the same weights wherever it was stopped', async () => {
    const whole = training()
    await trainPart(whole, options('whole'))
    const { part, signal } = stoppedAt(3, training())
    await expect(trainPart(part, options('stopped', { signal }))).rejects.toThrow('abort')
    const again = training()
    const reports: number[] = []
    await trainPart(again, options('stopped', { report: (steps) => reports.push(steps) }))
    expect(reports).toEqual([8])
    expect(weights(again.parameters)).toEqual(weights(whole.parameters))
    const other = training()
    await trainPart(other, options('other', { seed: 6 }))
    expect(weights(other.parameters)).not.toEqual(weights(whole.parameters))
  })

  it('lowers the loss, and writes a part that loads and computes the same', async () => {
    const part = training(150)
    const losses: number[] = []
    const report: TrainOptions['report'] = (_, __, { loss }) => losses.push(loss)
    await trainPart(part, options('lowers', { report, secondsBetween: { checkpoints: 1000, reports: 0 } }))
    const average = (some: number[]) => some.reduce((sum, loss) => sum + loss, 0) / some.length
    expect(average(losses.slice(-30))).toBeLessThan(0.9 * average(losses.slice(0, 30)))

    const pack = join(base, 'pack')
    part.write(pack)
    expect(readSchedule(join(pack, 'scheduler')).prediction).toBe('v_prediction')
    const denoiser = loadDenoiser(join(pack, 'image_unet'))
    expect(denoiser).toMatchObject({
      prediction: 'v_prediction',
      latentChannels: 2,
      latentSide: 4,
      tokens: 5,
      width: 3,
    })
    denoiser.dispose()
  })
})
