import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { cosineSchedule, ddimTimes, ddimUpdate, ddpmTimes, ddpmUpdate } from '../../src-main/diffusion/priorSchedule.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { numbersOf } from '../../src-main/nn/numbers.ts'

beforeAll(() => loadBackend())

const near = (value: number, expected: number, relative = 1e-6) =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(relative * Math.abs(expected))

const schedule = cosineSchedule(100)
const one = (compute: () => tf.Tensor) => numbersOf(compute)[0]

describe('cosineSchedule', () => {
  it('has the published values', () => {
    near(schedule.betas[0], 6.31281582e-4)
    near(schedule.betas[50], 0.0315463394)
    near(schedule.betas[99], 0.999)
    near(schedule.alphas_cumprod[50], 0.47826463)
    near(schedule.alphas_cumprod[98], 2.42857e-4, 1e-5)
    near(schedule.alphas_cumprod[99], 2.42857e-7, 1e-5)
    near(schedule.posterior_mean_coef1[50], 0.0424906537)
    near(schedule.posterior_mean_coef2[50], 0.954715312)
  })

  it('follows the number of timesteps', () => {
    for (const buffer of Object.values(cosineSchedule(7))) {
      expect(buffer).toBeInstanceOf(Float32Array)
      expect(buffer.length).toBe(7)
      expect([...buffer].every(Number.isFinite)).toBe(true)
    }
  })
})

describe('times', () => {
  it('of DDPM visit each once, downwards', () => expect(ddpmTimes(4)).toEqual([3, 2, 1, 0]))

  it('of DDIM are truncated, start below the top and end at −1', () => {
    expect(ddimTimes(50, 100).slice(0, 3)).toEqual([97, 95, 93])
    expect(ddimTimes(50, 100).slice(-2)).toEqual([1, -1])
    expect(ddimTimes(3, 100)).toEqual([66, 32, -1])
    expect(ddimTimes(1, 100)).toEqual([-1])
  })
})

describe('ddpmUpdate', () => {
  it('keeps the mean and the variance of the forward process', () => {
    for (const i of [1, 2, 50, 98]) {
      const { alphas_cumprod, alphas_cumprod_prev } = schedule
      const mean = one(() =>
        ddpmUpdate(schedule, i, tf.scalar(3 * Math.sqrt(alphas_cumprod[i])), tf.scalar(3), tf.scalar(0)),
      )
      near(mean, 3 * Math.sqrt(alphas_cumprod_prev[i]), 1e-5)
      const fromNoise = one(() => ddpmUpdate(schedule, i, tf.scalar(1), tf.scalar(0), tf.scalar(0)))
      const fresh = one(() => ddpmUpdate(schedule, i, tf.scalar(0), tf.scalar(0), tf.scalar(1)))
      near(fromNoise ** 2 * (1 - alphas_cumprod[i]) + fresh ** 2, 1 - alphas_cumprod_prev[i], 1e-4)
    }
  })

  it('ends at the predicted x₀ without noise', () =>
    near(
      one(() => ddpmUpdate(schedule, 0, tf.scalar(7), tf.scalar(2), tf.scalar(5))),
      2,
    ))
})

describe('ddimUpdate', () => {
  it('stays on the deterministic path between times, by the original’s shifted ᾱ', () => {
    const [x0, noise, t, tNext] = [1.5, -0.7, 61, 40]
    const x = Math.sqrt(schedule.alphas_cumprod[t]) * x0 + Math.sqrt(1 - schedule.alphas_cumprod[t]) * noise
    const aNext = schedule.alphas_cumprod_prev[tNext]
    const next = one(() => ddimUpdate(schedule, t, tNext, tf.scalar(x), tf.scalar(x0), undefined, 0))
    near(next, Math.sqrt(aNext) * x0 + Math.sqrt(1 - aNext) * noise, 1e-5)
  })

  it('keeps the variance with fresh noise, and ends at x₀', () => {
    const [t, tNext] = [61, 40]
    const rest = Math.sqrt(1 - schedule.alphas_cumprod[t])
    const old = one(() => ddimUpdate(schedule, t, tNext, tf.scalar(rest), tf.scalar(0), tf.scalar(0), 1))
    const fresh = one(() => ddimUpdate(schedule, t, tNext, tf.scalar(0), tf.scalar(0), tf.scalar(1), 1))
    near(old ** 2 + fresh ** 2, 1 - schedule.alphas_cumprod_prev[tNext], 1e-5)
    expect(one(() => ddimUpdate(schedule, 1, -1, tf.scalar(9), tf.scalar(4), undefined, 1))).toBe(4)
  })

  it('leaves no tensors but its result', () => {
    const [x, x0, z] = [tf.ones([2, 3]), tf.ones([2, 3]), tf.ones([2, 3])]
    const before = tf.memory().numTensors
    tf.dispose([ddimUpdate(schedule, 61, 40, x, x0, z, 1), ddpmUpdate(schedule, 61, x, x0, z)])
    expect(tf.memory().numTensors).toBe(before)
  })
})
