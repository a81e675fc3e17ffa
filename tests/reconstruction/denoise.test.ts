import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import type { Denoiser } from '../../src-main/diffusion/denoiser.ts'
import { NoiseTable, scaledLinearBetas } from '../../src-main/diffusion/tables.ts'
import { UniPC } from '../../src-main/diffusion/unipc.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { denoise, guided, startIndex, stepsTaken } from '../../src-main/reconstruction/denoise.ts'
import { expectClose } from '../support/fixtures.ts'
import { normal } from '../support/gradients.ts'

beforeAll(() => loadBackend())

const table = new NoiseTable(scaledLinearBetas(0.00085, 0.012, 1000))
const tight = { atol: 1e-6, rtol: 1e-5 }

/** The network: 0.3 x + sin(x + t / 100) + the condition's mean. */
const network = (x: tf.Tensor, t: number, mean: tf.Tensor): tf.Tensor =>
  tf.tidy(() => tf.addN([tf.mul(x, 0.3), tf.sin(tf.add(x, t / 100)), tf.mul(tf.onesLike(x), mean)]))

/** Says what it was asked: the batch and the timestep. */
function fakeDenoiser(asked: { batch: number; t: number }[]): Denoiser {
  return {
    ...{
      prediction: 'epsilon',
      startScaling: 'clip',
      guidance: 2,
      latentChannels: 2,
      latentSide: 4,
      tokens: 3,
      width: 5,
    },
    condition(tokens) {
      const means = tf.tidy(() => tf.mean(tokens, [1, 2]))
      return {
        predict(latents, t) {
          asked.push({ batch: latents.shape[0], t })
          return tf.tidy(() => network(latents, t, tf.reshape(means, [-1, 1, 1, 1])) as tf.Tensor4D)
        },
        dispose: () => means.dispose(),
      }
    },
    dispose() {},
  }
}

const embeddings = () => normal([2, 3, 5]) as tf.Tensor3D
const latents = (count: number) => normal([count, 4, 4, 2]) as tf.Tensor4D

describe('guidance', () => {
  test('goes from the unconditional prediction by so many times its distance to the conditional one', () => {
    const [u, c] = [latents(1), latents(1)]
    const expected = Float32Array.from(u.dataSync(), (value, i) => value + 3.5 * (c.dataSync()[i] - value))
    expectClose(guided(u, c, 3.5).dataSync(), expected, tight, 'guided')
  })
})

describe('the start of image-to-image sampling', () => {
  test('leaves out the steps before it', () => {
    expect(startIndex(20, 0.85)).toBe(3)
    const scheduler = new UniPC(table)
    scheduler.setTimesteps(20)
    expect(scheduler.timesteps[3]).toBe(849)
    expect([startIndex(20, 1), startIndex(20, 0.05), startIndex(2, 0.85)]).toEqual([0, 19, 1])
    expect([stepsTaken({ steps: 20, guidance: 1 }), stepsTaken({ steps: 20, guidance: 1 }, 0.85)]).toEqual([20, 17])
  })

  test('needs a step', () => {
    expect(() => startIndex(20, 0.04)).toThrow(MindEyeError)
    expect(() => startIndex(20, 0.04)).toThrow(/--strength: expected at least 0.05, one of 20 steps, found 0.04/)
  })
})

/** All candidates with their unconditional twins in one batch, as the original pipeline has them. */
function reference(tokens: tf.Tensor3D, x0: tf.Tensor4D, timesteps: readonly number[], guidance: number): tf.Tensor {
  const scheduler = new UniPC(table)
  scheduler.setTimesteps(20)
  const mean = tf.reshape(tf.concat([tf.zeros([2]), tf.mean(tokens, [1, 2])]), [4, 1, 1, 1])
  let x: tf.Tensor = x0
  for (const t of timesteps) {
    const [u, c] = tf.split(network(tf.concat([x, x]), t, mean), 2)
    x = scheduler.step(tf.add(u, tf.mul(tf.sub(c, u), guidance)), t, x)
  }
  return x
}

describe('denoising', () => {
  test('from noise takes every step, with guidance', async () => {
    const asked: { batch: number; t: number }[] = []
    const [tokens, noise] = [embeddings(), latents(2)]
    const before = tf.memory().numTensors
    const given = { embeddings: tokens, noise }
    const x = await denoise(fakeDenoiser(asked), table, given, { steps: 20, guidance: 3.5 }, () => {})
    expect(tf.memory().numTensors - before, 'tensors left behind').toBe(1)
    const scheduler = new UniPC(table)
    scheduler.setTimesteps(20)
    expect(asked).toEqual(scheduler.timesteps.flatMap((t) => [1, 2].map(() => ({ batch: 2, t }))))
    expectClose(x.dataSync(), reference(tokens, noise, scheduler.timesteps, 3.5).dataSync(), tight, 'latents')
  })

  test('from a picture starts at its noised latent', async () => {
    const asked: { batch: number; t: number }[] = []
    const [tokens, noise, latent] = [embeddings(), latents(2), latents(1)]
    const seen: { done: number; clean: Float32Array }[] = []
    const given = { embeddings: tokens, noise, start: { latent, strength: 0.85 } }
    const x = await denoise(fakeDenoiser(asked), table, given, { steps: 20, guidance: 3.5 }, (done, clean) => {
      const tensor = clean()
      seen.push({ done, clean: tensor.dataSync<'float32'>().slice() })
      tensor.dispose()
    })
    const scheduler = new UniPC(table)
    scheduler.setTimesteps(20)
    const timesteps = scheduler.timesteps.slice(3)
    expect(timesteps[0]).toBe(849)
    const [alpha, sigma] = [Math.sqrt(0.0235229414), Math.sqrt(1 - 0.0235229414)]
    const x0 = tf.add(tf.mul(latent, alpha), tf.mul(noise, sigma)) as tf.Tensor4D
    expectClose(x.dataSync(), reference(tokens, x0, timesteps, 3.5).dataSync(), { atol: 1e-5, rtol: 1e-4 }, 'latents')
    expect(asked.map(({ t }) => t).filter((_, i) => i % 2 === 0)).toEqual(timesteps)
    // What it sees after the first step: x₀ of the guided noise, (x − σ e) / α.
    const [u, c] = [0, 1].map((i) =>
      network(x0, 849, i ? tf.reshape(tf.mean(tokens, [1, 2]), [2, 1, 1, 1]) : tf.zeros([2, 1, 1, 1])),
    )
    const e = tf.add(u, tf.mul(tf.sub(c, u), 3.5))
    const clean = tf.div(tf.sub(x0, tf.mul(e, sigma)), alpha)
    expect(seen.map(({ done }) => done)).toEqual(Array.from({ length: 17 }, (_, i) => i + 1))
    expectClose(seen[0].clean, clean.dataSync(), { atol: 1e-4, rtol: 1e-4 }, 'clean')
  })

  test('without guidance asks only with the condition', async () => {
    const asked: { batch: number; t: number }[] = []
    const given = { embeddings: embeddings(), noise: latents(2) }
    await denoise(fakeDenoiser(asked), table, given, { steps: 3, guidance: 1 }, () => {})
    expect(asked.map(({ batch }) => batch)).toEqual([1, 1, 1, 1, 1, 1])
  })

  test('ends when whoever looks on throws, and keeps nothing', async () => {
    const given = { embeddings: embeddings(), noise: latents(2) }
    const before = tf.memory().numTensors
    const stopped = denoise(fakeDenoiser([]), table, given, { steps: 5, guidance: 3.5 }, (done) => {
      if (done === 2) throw new Error('enough')
    })
    await expect(stopped).rejects.toThrow('enough')
    expect(tf.memory().numTensors).toBe(before)
  })
})
