import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { DDIM } from '../../src-main/diffusion/ddim.ts'
import { PNDM } from '../../src-main/diffusion/pndm.ts'
import { NoiseTable, scaledLinearBetas, type Scheduler } from '../../src-main/diffusion/tables.ts'
import { UniPC } from '../../src-main/diffusion/unipc.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

interface Config {
  scheduler: 'unipc' | 'ddim' | 'pndm'
  beta_start: number
  beta_end: number
  beta_schedule: string
  num_train_timesteps: number
  steps: number
  start: number
  fake_model: string
  solver_order?: 1 | 2
  final_sigmas_type?: 'zero' | 'sigma_min'
  steps_offset?: number
  set_alpha_to_one?: boolean
  clip_sample?: boolean
  eta?: number
  skip_prk_steps?: boolean
}

function schedulerOf(config: Config, table: NoiseTable): Scheduler {
  const spacing = { stepsOffset: config.steps_offset, setAlphaToOne: config.set_alpha_to_one }
  if (config.scheduler === 'ddim') return new DDIM(table, spacing)
  if (config.scheduler === 'pndm') return new PNDM(table, spacing)
  expect(config.scheduler).toBe('unipc')
  return new UniPC(table, { solverOrder: config.solver_order, finalSigmas: config.final_sigmas_type })
}

/** e = a*x + b*sin(x + t/c), the network that the recordings were made with. */
function fakeNetwork(formula: string): (x: tf.Tensor, t: number) => tf.Tensor {
  const numbers = /^e = ([\d.]+)\*x \+ ([\d.]+)\*sin\(x \+ t\/([\d.]+)\)$/.exec(formula)
  if (!numbers) throw new Error(`unknown network ${formula}`)
  const [a, b, c] = numbers.slice(1).map(Number)
  return (x, t) => tf.tidy(() => tf.add(tf.mul(x, a), tf.mul(tf.sin(tf.add(x, t / c)), b)))
}

describe('Schedulers equal the originals', () => {
  it.each(fixtureCases('schedulers'))('$name', ({ config: recorded, tensors, tolerances }) => {
    const config = recorded as unknown as Config
    expect(config.beta_schedule).toBe('scaled_linear')
    // What the recordings leave at its usual value and we therefore don't offer.
    expect([config.clip_sample ?? false, config.eta ?? 0, config.skip_prk_steps ?? true]).toEqual([false, 0, true])
    const table = new NoiseTable(scaledLinearBetas(config.beta_start, config.beta_end, config.num_train_timesteps))
    const alphas = tensors.get('alphas_cumprod')
    if (alphas) expect(table.alphasCumprod).toEqual(alphas.data)

    const tensor = (name: string) => tf.tensor(tensors.get(name)!.data, tensors.get(name)!.shape)
    const scheduler = schedulerOf(config, table)
    scheduler.setTimesteps(config.steps)
    expect(scheduler.timesteps).toEqual([...tensors.get('timesteps')!.data])

    let x: tf.Tensor = tensor('x0')
    if (tensors.has('add_noise.z')) {
      x = table.addNoise(tensor('add_noise.z'), tensor('add_noise.eps'), scheduler.timesteps[config.start])
      expectClose(x.dataSync(), tensors.get('x0')!.data, tolerances, 'x0')
    }
    const network = fakeNetwork(config.fake_model)
    const { shape, data } = tensors.get('xs')!
    const visited = scheduler.timesteps.slice(config.start)
    expect(visited.length).toBe(shape[0])
    const size = data.length / shape[0]
    visited.forEach((t, i) => {
      x = scheduler.step(network(x, t), t, x)
      expectClose(x.dataSync(), data.subarray(i * size, (i + 1) * size), tolerances, `x after timestep ${t}`)
    })
    scheduler.reset()
  })
})
