import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { scoreReconstructions } from '../../src-main/evaluation/scoreReconstructions.ts'
import type { PictureSet } from '../../src-main/evaluation/scoreReconstructions.ts'
import { mean } from '../../src-main/evaluation/statistics.ts'
import { openPack } from '../../src-main/models/pack.ts'
import { loadSceneClassifier } from '../../src-main/models/pretrained.ts'
import { Random } from '../../src-main/nn/random.ts'
import { SceneDrawer, ScenePainter } from '../../src-main/subjects/simulator/scenes.ts'
import { builtInPack } from '../../src-main/workspace/index.ts'
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

describe('the demo pack’s classifier', () => {
  const path = openPack(builtInPack().folder).pathOf('classifier')

  it('stands in for metrics of networks: the object it names, and two-way identification by its features', async () => {
    const count = 24
    const painter = new ScenePainter()
    const drawn = new SceneDrawer().draw(new Random(5).split('stand-in'), count)
    const scenes = await Promise.all(drawn.map((scene) => painter.paint(scene, 64)))
    // Two thirds show their own scene, dimmed, the others the next one.
    const shown = scenes.map((_, i) => (i % 3 ? i : (i + 1) % count))
    const picture = (scene: number, gain: number) =>
      tf.tensor4d(
        Float32Array.from(scenes[scene].data, (byte) => (gain * byte) / 255),
        [1, 64, 64, 3],
      )
    const set = {
      images: { count, read: (i: number) => picture(i, 1) },
      recons: { count, read: (i: number) => picture(shown[i], 0.9) },
      own: Int32Array.from(scenes, (_, i) => i),
    }
    const before = tf.memory().numTensors
    const { metrics } = await scoreReconstructions(set, { classifier: path }, new Random(3), quiet)
    expect(tf.memory().numTensors).toBe(before)

    const { model, parameters } = loadSceneClassifier(path)
    const scoresOf = (pictures: PictureSet, i: number) =>
      tf.tidy(() => [...model.scores(pictures.read(i) as tf.Tensor4D).dataSync<'float32'>()])
    const expected = scenes.map((_, i) => {
      const [seen, made] = [scoresOf(set.images, i), scoresOf(set.recons, i)]
      return Number(seen[made.indexOf(Math.max(...made))] > 0.5)
    })
    parameters.dispose()
    const { object, scene } = metrics
    expect([...object!.values]).toEqual(expected)
    for (const [i, value] of object!.values.entries()) if (shown[i] === i) expect(value).toBe(1)
    expect(mean(object!.values)).toBeLessThan(1)
    expect(object!.test.chance).toBeLessThan(0.3)
    expect(object!.test.p).toBeLessThan(0.01)
    for (const [i, value] of scene!.values.entries()) if (shown[i] === i) expect(value).toBe(1)
    expect(mean(scene!.values)).toBeLessThan(1)
  })
})
