import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { scoreReconstructions } from '../../src-main/evaluation/scoreReconstructions.ts'
import type { PictureSet } from '../../src-main/evaluation/scoreReconstructions.ts'
import { mean } from '../../src-main/evaluation/statistics.ts'
import { Random } from '../../src-main/nn/random.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import type { FixtureCase } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const quiet = { signal: new AbortController().signal, progress: () => {} }

/** Recorded pictures (n, H, W, 3) as they would be read from a subject or a set. */
function pictures({ tensors }: FixtureCase, name: string): PictureSet {
  const { shape, data } = tensors.get(name)!
  const size = data.length / shape[0]
  const [, height, width] = shape
  return {
    count: shape[0],
    read: (i) => tf.tensor4d(data.slice(i * size, (i + 1) * size), [1, height, width, 3]),
  }
}
const numbers = ({ tensors }: FixtureCase, name: string) => tensors.get(name)!.data

/** numpy's and scikit-image's values; make.py beside the cases made them. */
describe('scores of a set equal numpy and scikit-image', () => {
  it.each(fixtureCases('reconstruction_metrics'))('$name', async (fixture) => {
    const own = Int32Array.from(numbers(fixture, 'own'))
    const set = { images: pictures(fixture, 'images'), recons: pictures(fixture, 'recons'), own }
    const before = tf.memory().numTensors
    const { metrics, pixels } = await scoreReconstructions(set, {}, new Random(3), quiet)
    expect(tf.memory().numTensors).toBe(before)

    const { tolerances, config } = fixture
    expect(Object.keys(metrics).sort()).toEqual(['pixcorr', 'pixel', 'ssim'])
    const { pixcorr, ssim, pixel } = metrics
    expectClose(pixcorr!.values, numbers(fixture, 'pixcorr'), tolerances, 'pixcorr')
    expectClose(ssim!.values, numbers(fixture, 'ssim'), tolerances, 'ssim')
    expectClose(pixel!.values, numbers(fixture, 'two_way'), tolerances, 'two-way')
    const { pixcorr_mean, ssim_mean, two_way_mean } = config as Record<string, number>
    expectClose([mean(pixcorr!.values)], [pixcorr_mean], tolerances, 'mean pixcorr')
    expectClose([mean(ssim!.values)], [ssim_mean], tolerances, 'mean ssim')
    expectClose([mean(pixel!.values)], [two_way_mean], tolerances, 'mean two-way')
    // Recorded (image, reconstruction).
    const [n, m] = [set.recons.count, set.images.count]
    const transposed = Float32Array.from({ length: n * m }, (_, at) => pixels[(at % n) * m + Math.floor(at / n)])
    expectClose(transposed, numbers(fixture, 'correlation'), tolerances, 'correlation of pixels')
    // Better than chance, and the same whenever it is asked.
    expect(pixcorr!.test.p).toBeLessThan(0.05)
    expect(pixcorr!.test.chance).toBeLessThan(pixcorr_mean)
    const again = await scoreReconstructions(set, {}, new Random(3), quiet)
    expect(again.metrics).toEqual(metrics)
  })

  it('stops when it is asked to', async () => {
    const [fixture] = fixtureCases('reconstruction_metrics')
    const own = Int32Array.from(numbers(fixture, 'own'))
    const set = { images: pictures(fixture, 'images'), recons: pictures(fixture, 'recons'), own }
    const controller = new AbortController()
    const phases = new Set<string>()
    const progress = ({ phase }: { phase: string }) => {
      phases.add(phase)
      if (phase === 'compare structure') controller.abort()
    }
    const before = tf.memory().numTensors
    await expect(scoreReconstructions(set, {}, new Random(3), { signal: controller.signal, progress })).rejects.toThrow(
      /abort/i,
    )
    expect([...phases]).toEqual(['compare pixels', 'compare structure'])
    expect(tf.memory().numTensors).toBe(before)
  })
})
