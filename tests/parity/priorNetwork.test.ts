import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { distanceBucket, PriorNetwork } from '../../src-main/models/priorNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import type { FixtureCase } from '../support/fixtures.ts'
import { expectClose, expectGradients, fixtureCases } from '../support/fixtures.ts'
import { collectGradients, loadWeights } from '../support/parameters.ts'

beforeAll(() => loadBackend())

interface NetConfig {
  dim: number
  depth: number
  dim_head: number
  heads: number
  num_tokens: number
}
interface Config extends NetConfig {
  variants: { name: string; grads: string | null }[]
  cond_scale_variant: number
}

const sizes = ({ dim, depth, dim_head, heads, num_tokens }: NetConfig) => ({
  tokens: num_tokens,
  width: dim,
  depth,
  heads,
  headDim: dim_head,
})

const tensor = ({ tensors }: FixtureCase, name: string) =>
  tf.tensor3d(tensors.get(name)!.data, tensors.get(name)!.shape as [number, number, number])

describe('PriorNetwork equals the original', () => {
  it.each(fixtureCases('prior_network'))('$name', (fixture) => {
    const config = fixture.config as unknown as Config
    const { tensors, tolerances } = fixture
    const parameters = new Parameters()
    const network = new PriorNetwork(parameters, sizes(config))
    loadWeights(parameters, fixture.weights)
    const [image, brain, r] = [tensor(fixture, 'x'), tensor(fixture, 'brain'), tensor(fixture, 'r')]
    const times = tensors.get('t')!.data

    for (const { name, grads } of config.variants) {
      const keep = {
        keepBrain: tensors.get(`${name}.keep_brain`)!.data,
        keepImage: tensors.get(`${name}.keep_image`)!.data,
      }
      const out = tf.tidy(() => network.forward({ image, times, brain, ...keep }))
      expectClose(out.dataSync(), tensors.get(`${name}.out`)!.data, tolerances, `${name}.out`)
      out.dispose()
      if (!grads) continue
      const gradients = collectGradients(parameters)
      const [, dx, dBrain] = tf.grads((anchor, x, b) =>
        tf.sum(
          tf.mul(
            network.forward({ image: x as tf.Tensor3D, times, brain: b as tf.Tensor3D, ...keep }, anchor as tf.Scalar),
            r,
          ),
        ),
      )([tf.scalar(0), image, brain])
      gradients.set('x', dx.dataSync<'float32'>().slice())
      gradients.set('brain', dBrain.dataSync<'float32'>().slice())
      expectGradients(fixture, grads, gradients)
    }
    const guided = network.guided({ image, times, brain }, config.cond_scale_variant)
    const name = `cond_scale_${config.cond_scale_variant}.out`
    expectClose(guided.dataSync(), tensors.get(name)!.data, tolerances, name)
    parameters.dispose()
  })

  it('has the buckets of the specification', () => {
    const starts = [16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]
    for (const [i, start] of starts.entries())
      expect([distanceBucket(start), distanceBucket(start - 1)]).toEqual([16 + i, 15 + i])
    expect([distanceBucket(-4), distanceBucket(0), distanceBucket(10_000)]).toEqual([0, 0, 31])
  })

  it('has 56,055,184 parameters in 72 tensors at the published size', () => {
    const parameters = new Parameters()
    new PriorNetwork(parameters, { tokens: 257, width: 768, depth: 6, heads: 12, headDim: 64 })
    expect(parameters.count).toBe(56_055_184)
    expect([...parameters].flatMap(({ name, also }) => [name, ...also]).length).toBe(72)
  })
})
