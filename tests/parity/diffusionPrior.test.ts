import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ddimTimes } from '../../src-main/diffusion/priorSchedule.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { DiffusionPrior, drawPrior, PRIOR_TIMESTEPS } from '../../src-main/training/diffusionPrior.ts'
import type { FixtureCase } from '../support/fixtures.ts'
import { expectClose, expectGradients, fixtureCases } from '../support/fixtures.ts'
import { collectGradients, loadWeights } from '../support/parameters.ts'

beforeAll(() => loadBackend())

interface Config {
  net: { dim: number; depth: number; dim_head: number; heads: number; num_tokens: number }
  timesteps: number
  image_embed_scale: number
  loss: number
  ddim_timesteps: number
  ddim_times: number[]
}
type Shape3 = [number, number, number]

function load(fixture: FixtureCase) {
  const { dim, depth, dim_head, heads, num_tokens } = (fixture.config as unknown as Config).net
  const parameters = new Parameters()
  const prior = new DiffusionPrior(parameters, { tokens: num_tokens, width: dim, depth, heads, headDim: dim_head })
  loadWeights(parameters, new Map([...fixture.weights].map(([name, weights]) => [`net.${name}`, weights])))
  return { parameters, prior }
}

const tensor = ({ tensors }: FixtureCase, name: string) =>
  tf.tensor3d(tensors.get(name)!.data, tensors.get(name)!.shape as Shape3)

/** Gives the recorded noises in turn; `left` says how many nobody took. */
function recorded({ tensors }: FixtureCase, name: string) {
  const { shape, data } = tensors.get(name)!
  const size = data.length / shape[0]
  let next = 0
  return {
    draw: () => {
      const at = next++ * size
      return tf.tensor3d(data.slice(at, at + size), shape.slice(1) as Shape3)
    },
    left: () => shape[0] - next,
  }
}

describe('DiffusionPrior equals the original', () => {
  it.each(fixtureCases('diffusion_prior'))('$name: the schedule in the file', (fixture) => {
    const { parameters } = load(fixture)
    expect((fixture.config as unknown as Config).timesteps).toBe(PRIOR_TIMESTEPS)
    for (const [key, { data }] of fixture.tensors)
      if (key.startsWith('buffers.')) {
        const [numbers] = parameters.get(`noise_scheduler.${key.slice('buffers.'.length)}`).download('value')
        expectClose(numbers, data, fixture.tolerances, key)
      }
    parameters.dispose()
  })

  it.each(fixtureCases('diffusion_prior'))('$name: loss and gradients', (fixture) => {
    const { loss: expected } = fixture.config as unknown as Config
    const { parameters, prior } = load(fixture)
    const ones = new Float32Array(fixture.tensors.get('train.t')!.data.length).fill(1)
    const times = Int32Array.from(fixture.tensors.get('train.t')!.data)
    const draws = { times, noise: tensor(fixture, 'train.noise'), keepBrain: ones, keepImage: ones }
    const target = tensor(fixture, 'train.target')
    const gradients = collectGradients(parameters)
    const { value, grads } = tf.valueAndGrads((anchor, brain) => {
      const { loss, predicted } = prior.loss(brain as tf.Tensor3D, target, draws, anchor as tf.Scalar)
      expectClose(predicted.dataSync(), fixture.tensors.get('train.pred')!.data, fixture.tolerances, 'train.pred')
      return loss
    })([tf.scalar(0), tensor(fixture, 'brain')])
    expectClose(value.dataSync(), [expected], fixture.tolerances, 'train.loss')
    const named = new Map([...gradients].map(([name, gradient]) => [name.slice('net.'.length), gradient]))
    named.set('brain', grads[1].dataSync<'float32'>().slice())
    expectGradients(fixture, 'grads.', named)
    parameters.dispose()
  })

  it.each(fixtureCases('diffusion_prior'))('$name: DDPM', (fixture) => {
    const { parameters, prior } = load(fixture)
    const noises = recorded(fixture, 'ddpm.noises')
    const seen: number[] = []
    const out = prior.sample(tensor(fixture, 'brain'), noises.draw, {
      each: (x, t) => {
        if (t % 10 === 9 && t < PRIOR_TIMESTEPS - 1) seen.push(...x.dataSync())
      },
    })
    expect(noises.left()).toBe(0)
    // Recorded after steps 99 − 9, 99 − 19, …: x before steps 89, 79, … and at last the scaled result.
    seen.push(...tf.mul(out, (fixture.config as unknown as Config).image_embed_scale).dataSync())
    expectClose(seen, fixture.tensors.get('ddpm.x_every10')!.data, fixture.tolerances, 'ddpm.x_every10')
    expectClose(out.dataSync(), fixture.tensors.get('ddpm.out')!.data, fixture.tolerances, 'ddpm.out')
    parameters.dispose()
  })

  it.each(fixtureCases('diffusion_prior'))('$name: DDIM', (fixture) => {
    const { ddim_timesteps: steps, ddim_times } = fixture.config as unknown as Config
    expect(ddimTimes(steps, PRIOR_TIMESTEPS)).toEqual(ddim_times)
    const { parameters, prior } = load(fixture)
    const noises = recorded(fixture, 'ddim.noises')
    const before = tf.memory().numTensors
    const out = prior.sample(tensor(fixture, 'brain'), noises.draw, { steps })
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(2) // the brain's tensor and the result
    expect(noises.left()).toBe(0)
    expectClose(out.dataSync(), fixture.tensors.get('ddim.out')!.data, fixture.tolerances, 'ddim.out')
    parameters.dispose()
  })

  it('draws conditions at the given rate, times over all of the schedule, and the same from the same stream', () => {
    const [a, b] = [1, 1].map((seed) => drawPrior(new Random(seed), [4000, 1, 2], 0.2))
    expect([a.times, a.keepBrain, a.keepImage, a.noise.dataSync()]).toEqual([
      b.times,
      b.keepBrain,
      b.keepImage,
      b.noise.dataSync(),
    ])
    const mean = (x: ArrayLike<number>) => Array.from(x).reduce((sum, value) => sum + value, 0) / x.length
    for (const keep of [a.keepBrain, a.keepImage]) expect(mean(keep)).toBeCloseTo(0.8, 1)
    expect(a.keepBrain).not.toEqual(a.keepImage)
    expect([Math.min(...a.times), Math.max(...a.times)]).toEqual([0, PRIOR_TIMESTEPS - 1])
    const noise = a.noise.dataSync()
    expect(Math.abs(mean(noise))).toBeLessThan(0.05)
    expect(mean(noise.map((x) => x * x))).toBeCloseTo(1, 1)
  })
})
