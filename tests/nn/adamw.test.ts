import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { AdamW } from '../../src-main/nn/adamw.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { oneCycle } from '../../src-main/nn/schedule.ts'
import { expectClose } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

/** torch.optim.AdamW in float64, as its documentation writes it; β1 may change from step to step. */
function reference(start: number[], gradients: number[][], lrs: number[], beta1s: number[], decay: number): number[] {
  const [beta2, eps] = [0.999, 1e-8]
  const [w, m, v] = [[...start], start.map(() => 0), start.map(() => 0)]
  for (const [k, gradient] of gradients.entries())
    for (const [i, g] of gradient.entries()) {
      w[i] *= 1 - lrs[k] * decay
      m[i] = beta1s[k] * m[i] + (1 - beta1s[k]) * g
      v[i] = beta2 * v[i] + (1 - beta2) * g * g
      const corrected = Math.sqrt(v[i]) / Math.sqrt(1 - beta2 ** (k + 1))
      w[i] -= ((lrs[k] / (1 - beta1s[k] ** (k + 1))) * m[i]) / (corrected + eps)
    }
  return w
}

describe('AdamW', () => {
  it.each([
    ['decay in place', false],
    ['decay folded into the scale', true],
  ])('equals the definition with cycled β1: %s', (_, folded) => {
    const random = new Random(2)
    const size = 12
    const steps = 40
    const schedule = oneCycle({ maxLr: 0.05, totalSteps: steps, pctStart: 0.3 })
    const gradients = Array.from({ length: steps }, () =>
      Array.from({ length: size }, () => random.normal() * 10 ** -random.int(8)),
    )
    const parameters = new Parameters(5) // 12 rows of 1 in pieces of 5
    const parameter = parameters.add('w', [size, 1], { uniform: 1 }, { folded })
    parameters.initialise(random)
    const value = () => [...parameter.download('value')].flatMap((part) => [...part]).map((x) => x * parameter.scale)
    const start = value()
    const optimizer = new AdamW(parameters, { beta2: 0.999, eps: 1e-8, weightDecay: 0.5, decays: () => true })
    for (const gradient of gradients) {
      const { lr, beta1 } = schedule(optimizer.steps)
      optimizer.begin(lr, beta1)
      for (const [i, { start: from, stop }] of parameter.rows.entries())
        parameter.accumulate(tf.tensor2d(gradient.slice(from, stop), [stop - from, 1]), i)
      optimizer.end()
    }
    const at = Array.from({ length: steps }, (_unused, k) => schedule(k))
    const expected = reference(
      start,
      gradients,
      at.map(({ lr }) => lr),
      at.map(({ beta1 }) => beta1),
      0.5,
    )
    expectClose(value(), expected, { atol: 1e-6, rtol: 1e-5 }, 'w')
    expect(parameter.scale === 1).toBe(!folded)
  })

  it('says so when a layer forgets a gradient or hands one over twice', () => {
    const parameters = new Parameters()
    const parameter = parameters.add('w', [2], { constant: 1 })
    parameters.initialise(new Random(1))
    const optimizer = new AdamW(parameters, { beta2: 0.999, eps: 1e-8, weightDecay: 0, decays: () => false })
    optimizer.begin(0.1, 0.9)
    expect(() => optimizer.end()).toThrow('0 of 1 pieces got a gradient')
    parameter.accumulate(tf.ones([2]))
    expect(() => parameter.accumulate(tf.ones([2]))).toThrow('second gradient')
  })
})

describe('one-cycle schedule', () => {
  it('gives the values of the published run (66,240 steps)', () => {
    const at = oneCycle({ maxLr: 3e-4, totalSteps: 66_240, pctStart: 2 / 240 })
    expect(at(0).lr).toBeCloseTo(1.2e-5, 12)
    expect(at(1).lr).toBeCloseTo(1.20023406e-5, 12)
    expect(at(551).lr).toBeCloseTo(3e-4, 12)
    expect(at(551).beta1).toBeCloseTo(0.85, 12)
    expect(at(33_120).lr).toBeCloseTo(1.51978686e-4, 11)
    expect(at(33_120).beta1).toBeCloseTo(0.899342412, 8)
    expect(at(66_239).lr).toBeCloseTo(1.2e-8, 14)
    expect(at(66_239).beta1).toBeCloseTo(0.95, 12)
  })
})
