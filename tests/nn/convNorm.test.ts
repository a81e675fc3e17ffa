import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { ConvNorm } from '../../src-main/nn/convNorm.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { expectClose } from '../support/fixtures.ts'
import { close, normal } from '../support/gradients.ts'

beforeAll(() => loadBackend())

describe('ConvNorm', () => {
  it.each([
    { groups: 1, inputs: 3, outputs: 6 },
    { groups: 6, inputs: 6, outputs: 6 },
  ])('is convolution, normalization and activation before it is folded into two of them ($groups groups)', (shape) => {
    const { groups, inputs, outputs } = shape
    const [random, eps] = [new Random(3), 1e-3]
    const parameters = new Parameters()
    const layer = new ConvNorm(parameters, 'conv', 'bn', inputs, outputs, {
      kernel: 3,
      padding: 1,
      groups,
      activation: 'relu',
      eps,
    })
    parameters.initialise(random)
    for (const [name, base] of [
      ['weight', 1],
      ['bias', 0],
      ['running_mean', 0],
      ['running_var', 0.3],
    ] as const)
      parameters
        .get(`bn.${name}`)
        .upload('value', (_, count) => Float32Array.from({ length: count }, () => base + random.uniform()))
    const x = normal([2, 7, 5, inputs]) as tf.Tensor4D
    const value = (name: string) => parameters.get(name).value()
    const kernel = value('conv.weight') as tf.Tensor4D
    const y = groups === 1 ? tf.conv2d(x, kernel, 1, 'same') : tf.depthwiseConv2d(x, kernel, 1, 'same')
    const normalized = tf.div(tf.sub(y, value('bn.running_mean')), tf.sqrt(tf.add(value('bn.running_var'), eps)))
    const expected = tf.relu(tf.add(tf.mul(normalized, value('bn.weight')), value('bn.bias'))).dataSync()

    layer.fold()
    expectClose(layer.compute(x).dataSync(), expected, close, 'folded')
    expect([...value('bn.running_mean').dataSync()]).toEqual(new Array(outputs).fill(0))
    layer.fold() // of what is folded changes nothing
    expectClose(layer.compute(x).dataSync(), expected, close, 'folded twice')

    const before = tf.memory().numTensors
    layer.compute(x).dispose()
    expect(tf.memory().numTensors).toBe(before)
    expect([...parameters].filter(({ trained }) => !trained).map(({ name }) => name)).toEqual([
      'bn.running_mean',
      'bn.running_var',
    ])
    parameters.dispose()
  })
})
