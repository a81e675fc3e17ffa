import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { DDIM } from '../../src-main/diffusion/ddim.ts'
import { PNDM } from '../../src-main/diffusion/pndm.ts'
import { cosineBetas, NoiseTable, scaledLinearBetas, type Scheduler } from '../../src-main/diffusion/tables.ts'
import { UniPC } from '../../src-main/diffusion/unipc.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'

beforeAll(() => loadBackend())

const table = new NoiseTable(scaledLinearBetas(0.00085, 0.012, 1000))
const timestep0 = { alpha: table.alphas[0], sigma: table.sigmas[0] }
const clean = { alpha: 1, sigma: 0 }
/** With the noise level that each ends at. */
const schedulers: [string, Scheduler, { alpha: number; sigma: number }][] = [
  ['UniPC', new UniPC(table), timestep0],
  ['UniPC of order 1', new UniPC(table, { solverOrder: 1 }), timestep0],
  ['UniPC to σ = 0', new UniPC(table, { finalSigmas: 'zero' }), clean],
  ['DDIM', new DDIM(table), timestep0],
  ['DDIM to ᾱ = 1', new DDIM(table, { setAlphaToOne: true }), clean],
  ['PNDM', new PNDM(table), timestep0],
  ['PNDM to ᾱ = 1', new PNDM(table, { setAlphaToOne: true }), clean],
]

/** Samples with a network that knows the one image x₀ there is; returns the last x, its noise kept from the start. */
function sample(scheduler: Scheduler, steps: number, start: number, x0: number, noise: number): number {
  scheduler.setTimesteps(steps)
  let x = tf.tidy(() => table.addNoise(tf.scalar(x0), tf.scalar(noise), scheduler.timesteps[start]))
  for (const t of scheduler.timesteps.slice(start)) {
    const next = tf.tidy(() => {
      const e = tf.div(tf.sub(x, x0 * table.alphas[t]), table.sigmas[t])
      return scheduler.step(e, t, x)
    })
    x.dispose()
    x = next
  }
  scheduler.reset()
  const [value] = x.dataSync()
  x.dispose()
  return value
}

describe('NoiseTable', () => {
  it('has the published values of Versatile Diffusion', () => {
    for (const [t, value] of [
      [999, 0.004660096],
      [849, 0.0235229414],
      [500, 0.2763324976],
      [0, 0.9991499782],
    ])
      expect(Math.abs(table.alphasCumprod[t] - value)).toBeLessThan(6e-8)
    expect(table.lambdas[849]).toBeCloseTo(-1.86298764, 6)
    expect(table.lambdas[0]).toBeCloseTo(3.5346996, 6)
  })
})

describe('cosineBetas', () => {
  it('keeps hardly any signal at the last timestep and caps the last β', () => {
    const cosine = new NoiseTable(cosineBetas(1000))
    const share = (t: number) => Math.cos(((t / 1000 + 0.008) / 1.008) * (Math.PI / 2)) ** 2
    for (const t of [0, 250, 500, 750, 998])
      expect(cosine.alphasCumprod[t] / (share(t + 1) / share(0))).toBeCloseTo(1, 3)
    expect(cosineBetas(1000)[999]).toBeCloseTo(0.999, 6)
    expect(cosine.alphasCumprod[999]).toBeLessThan(1e-6)
  })

  it('and predictions of v end where predictions of noise end', () => {
    const cosine = new NoiseTable(cosineBetas(1000))
    const [clean, noise] = [0.7, -1.3]
    for (const start of [0, 3]) {
      const scheduler = new UniPC(cosine, { prediction: 'v_prediction' })
      scheduler.setTimesteps(20)
      let x = cosine.addNoise(tf.scalar(clean), tf.scalar(noise), scheduler.timesteps[start])
      for (const t of scheduler.timesteps.slice(start)) {
        // v of the one image there is: the noise that x holds follows from it
        const e = tf.div(tf.sub(x, clean * cosine.alphas[t]), cosine.sigmas[t])
        const v = tf.sub(tf.mul(e, cosine.alphas[t]), clean * cosine.sigmas[t])
        x = scheduler.step(v, t, x)
      }
      scheduler.reset()
      expect(x.dataSync()[0]).toBeCloseTo(clean * cosine.alphas[0] + noise * cosine.sigmas[0], 4)
    }
  })
})

describe('timesteps', () => {
  it('of UniPC round halves to even and leave out 0', () => {
    const scheduler = new UniPC(table)
    scheduler.setTimesteps(20)
    expect(scheduler.timesteps).toEqual([
      999, 949, 899, 849, 799, 749, 699, 649, 599, 549, 500, 450, 400, 350, 300, 250, 200, 150, 100, 50,
    ])
    scheduler.setTimesteps(1000)
    expect(new Set(scheduler.timesteps).size).toBe(scheduler.timesteps.length)
  })

  it('of DDIM and PNDM are multiples of a stride plus the offset; PNDM repeats its first step', () => {
    const [ddim, pndm] = [new DDIM(table), new PNDM(table, { stepsOffset: 0 })]
    ddim.setTimesteps(3)
    expect(ddim.timesteps).toEqual([667, 334, 1])
    pndm.setTimesteps(3)
    expect(pndm.timesteps).toEqual([666, 333, 333, 0])
    pndm.setTimesteps(1)
    expect(pndm.timesteps).toEqual([0])
  })

  it('are refused where there are none', () => {
    for (const [, scheduler] of schedulers)
      for (const steps of [0, 1.5, 1001]) expect(() => scheduler.setTimesteps(steps)).toThrow(/1 to 1000/)
    expect(() => new UniPC(table).step(tf.scalar(0), 7, tf.scalar(0))).toThrow(/timestep 7/)
  })
})

describe('step', () => {
  it.each(schedulers)('%s follows a perfect network exactly, from any start', (_, scheduler, { alpha, sigma }) => {
    const [x0, noise] = [1.25, -0.5]
    const starts = [
      ...[1, 2, 3, 20].map((steps) => [steps, 0]),
      ...(scheduler instanceof PNDM
        ? []
        : [
            [20, 3],
            [20, 19],
          ]),
    ]
    for (const [steps, start] of starts)
      expect(sample(scheduler, steps, start, x0, noise), `${steps} steps`).toBeCloseTo(x0 * alpha + noise * sigma, 5)
  })

  it.each(schedulers)('%s samples the same again and keeps no tensors', (_, scheduler) => {
    const before = tf.memory().numTensors
    const first = sample(scheduler, 7, 0, 0.3, 1)
    scheduler.setTimesteps(7)
    tf.tidy(() => void scheduler.step(tf.scalar(1), scheduler.timesteps[0], tf.scalar(2))) // a run stopped half-way
    expect(sample(scheduler, 7, 0, 0.3, 1)).toBe(first)
    expect(tf.memory().numTensors).toBe(before)
  })
})
