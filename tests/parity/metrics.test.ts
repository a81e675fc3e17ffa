import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { correlations } from '../../src-main/evaluation/correlation.ts'
import { twoWayIdentification } from '../../src-main/evaluation/identification.ts'
import { pixelMetrics } from '../../src-main/evaluation/pixelMetrics.ts'
import { mean } from '../../src-main/evaluation/statistics.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import type { FixtureCase } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const tensor = ({ tensors }: FixtureCase, name: string) => tf.tensor(tensors.get(name)!.data, tensors.get(name)!.shape)

describe('two-way identification and correlation distance equal the original', () => {
  it.each(fixtureCases('metrics', (name) => name.startsWith('two_way_')))('$name', (fixture) => {
    const { config, tensors, tolerances } = fixture
    const { score, denominator, correlation_distance_mean } = config as Record<string, number>
    const [real, recon] = ['real', 'recon'].map((name) => tensor(fixture, name) as tf.Tensor2D)
    const before = tf.memory().numTensors
    const r = correlations(real, recon)
    const own = Int32Array.from({ length: recon.shape[0] }, (_, i) => i)
    const found = twoWayIdentification(r, own)
    // Some images are equal on purpose; which of two correlations with equal rows is less is up to rounding.
    const { data, shape } = tensors.get('real')!
    const rows = Array.from({ length: shape[0] }, (_, i) => data.subarray(i * shape[1], (i + 1) * shape[1]).join())
    const tied = [...rows.keys()].filter((i) => rows.indexOf(rows[i]) !== rows.lastIndexOf(rows[i]))
    const expected = tensors.get('count')!.data
    for (const [i, count] of found.counts.entries())
      expect(Math.abs(count - expected[i]), `count ${i}`).toBeLessThanOrEqual(tied.includes(i) ? 1 : 0)
    expect(found.perImage.map((x) => Math.round(x * denominator))).toEqual(Float64Array.from(found.counts))
    const slack = tied.length / denominator / found.counts.length
    expect(Math.abs(found.score - score)).toBeLessThanOrEqual(slack + tolerances.atol)

    const distances = Float64Array.from(own, (i) => 1 - r[i * own.length + i])
    expectClose(distances, tensors.get('correlation_distance')!.data, tolerances, 'correlation_distance')
    expectClose([mean(distances)], [correlation_distance_mean], tolerances, 'correlation_distance_mean')
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('PixCorr and SSIM equal the original', () => {
  it.each(fixtureCases('metrics', (name) => name.startsWith('pixel_')))('$name', (fixture) => {
    const { config, tensors, tolerances } = fixture
    const { pixcorr_mean, ssim_mean } = config as Record<string, number>
    const [images, recons] = ['images', 'recons'].map(
      (name) => tf.transpose(tensor(fixture, name), [0, 2, 3, 1]) as tf.Tensor4D,
    )
    const before = tf.memory().numTensors
    const { pixCorr, ssim } = pixelMetrics(images, recons)
    expectClose(pixCorr, tensors.get('pixcorr')!.data, tolerances, 'pixcorr')
    expectClose(ssim, tensors.get('ssim')!.data, tolerances, 'ssim')
    expectClose([mean(pixCorr)], [pixcorr_mean], tolerances, 'pixcorr_mean')
    expectClose([mean(ssim)], [ssim_mean], tolerances, 'ssim_mean')
    expect(tf.memory().numTensors).toBe(before)
  })
})
