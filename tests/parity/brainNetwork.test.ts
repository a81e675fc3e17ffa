import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { BrainNetwork } from '../../src-main/models/brainNetwork.ts'
import { collectGradients, loadWeights } from '../support/parameters.ts'
import { expectClose, expectGradients, fixtureCases } from '../support/fixtures.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'

beforeAll(() => loadBackend())

interface Config {
  V: number
  h: number
  blocks: number
  tokens: number
  dim: number
  projector: boolean
  projector_hidden: number
  loss: number
}

describe('BrainNetwork equals the original', () => {
  it.each(fixtureCases('brain_network'))('$name', (fixture) => {
    const { config, tensors, weights, tolerances } = fixture
    const { V, h, blocks, tokens, dim, projector, projector_hidden, loss } = config as unknown as Config
    const parameters = new Parameters()
    const model = new BrainNetwork(parameters, {
      voxels: V,
      hidden: h,
      blocks,
      tokens,
      width: dim,
      projectorHidden: projector ? projector_hidden : 0,
      dropout: [0, 0],
    })
    loadWeights(parameters, weights)
    const tensor = (name: string) => tf.tensor(tensors.get(name)!.data, tensors.get(name)!.shape)
    const x = tensor('x') as tf.Tensor2D

    const out = model.forward(x)
    expectClose(out.backbone.dataSync(), tensors.get('out_flat')!.data, tolerances, 'out_flat')
    expect(out.projected !== undefined).toBe(projector)
    if (out.projected)
      expectClose(out.projected.dataSync(), tensors.get('out_projector')!.data, tolerances, 'out_projector')

    const gradients = collectGradients(parameters)
    const { value } = tf.valueAndGrad((anchor: tf.Tensor) => {
      const { backbone, projected } = model.forward(x, { anchor: anchor as tf.Scalar })
      const total = tf.sum(tf.mul(backbone, tensor('r1')))
      return projected ? tf.add(total, tf.sum(tf.mul(projected, tensor('r2')))) : total
    })(tf.scalar(0))
    expectClose(value.dataSync(), [loss], tolerances, 'loss')

    expectGradients(fixture, 'grads.', gradients)
    parameters.dispose()
  })
})
