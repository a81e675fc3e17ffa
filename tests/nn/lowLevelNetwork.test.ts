import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import type { LowLevelConfig } from '../../src-main/models/lowLevelNetwork.ts'
import { LowLevelNetwork, lowLevelConfig } from '../../src-main/models/lowLevelNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { expectFiniteDifferences, normal } from '../support/gradients.ts'

beforeAll(() => loadBackend())

const tiny: LowLevelConfig = {
  voxels: 7,
  hidden: 16,
  blocks: 2,
  map: { side: 2, channels: 4 },
  channels: [4, 8],
  layers: 1,
  groups: 2,
  latent: 2,
  features: 3,
  dropout: [0, 0],
}

describe('LowLevelNetwork', () => {
  it('has as many parameters as the original for subject 1', () => {
    const count = (contrast: boolean) => {
      const parameters = new Parameters()
      new LowLevelNetwork(parameters, lowLevelConfig(15_724, contrast))
      return parameters.count
    }
    expect(count(true)).toBe(206_065_604)
    expect(count(false)).toBe(205_505_988)
  })

  it('predicts the latent of its forward pass and leaves nothing else behind', () => {
    const parameters = new Parameters()
    const network = new LowLevelNetwork(parameters, tiny)
    parameters.initialise(new Random(3))
    const x = normal([3, 7]) as tf.Tensor2D
    const before = tf.memory().numTensors
    const predicted = network.predict(x)
    expect(tf.memory().numTensors - before).toBe(1)
    expect(predicted.dataSync()).toEqual(network.forward(x).latent.dataSync())
  })

  it('has gradients that agree with finite differences, every parameter', () => {
    const parameters = new Parameters()
    const network = new LowLevelNetwork(parameters, tiny)
    const random = new Random(3)
    parameters.initialise(random)
    const [x, dLatent, dFeatures] = [normal([3, 7]) as tf.Tensor2D, normal([3, 4, 4, 2]), normal([3, 4, 3])]
    const loss = (anchor?: tf.Scalar) => {
      const { latent, features } = network.forward(x, anchor && { anchor })
      return tf.add(tf.sum(tf.mul(latent, dLatent)), tf.sum(tf.mul(features!, dFeatures)))
    }
    expectFiniteDifferences(parameters, loss)
  })
})
