import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { attend } from '../../src-main/nn/attention.ts'
import type { Conv2dOptions } from '../../src-main/nn/conv.ts'
import { Conv2d } from '../../src-main/nn/conv.ts'
import { GroupNorm, NormedConv2d } from '../../src-main/nn/groupNorm.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { UpsampledConv2d, upsampleNearest } from '../../src-main/nn/upsample.ts'
import { expectClose } from '../support/fixtures.ts'
import { close, expectAutomaticGradients, normal } from '../support/gradients.ts'
import type { Values } from '../support/gradients.ts'
import { collectGradients } from '../support/parameters.ts'

beforeAll(() => loadBackend())

const random = new Random(2)

/** Sides are padded by hand and tfjs' own gradient of an unpadded convolution is taken. */
const plainConv = (x: tf.Tensor, w: tf.Tensor, sides: [number, number][], stride: number) =>
  tf.conv2d(tf.pad(x, [[0, 0], ...sides, [0, 0]]) as tf.Tensor4D, w as tf.Tensor4D, stride, 'valid')

describe('Conv2d', () => {
  const cases: [string, Conv2dOptions, [number, number][], number[]][] = [
    ['3x3, padding 1', { kernel: 3, padding: 1 }, [[1, 1], [1, 1]], [2, 5, 6, 3]],
    ['without padding', { kernel: [3, 2] }, [[0, 0], [0, 0]], [2, 5, 6, 3]],
    ['stride 2, padding 1', { kernel: 3, stride: 2, padding: 1 }, [[1, 1], [1, 1]], [2, 6, 7, 3]],
    ['stride 2, zeros below and right', { kernel: 3, stride: 2, padding: [[0, 1], [0, 1]] }, [[0, 1], [0, 1]], [2, 6, 8, 3]],
    ['7x7, stride 2, padding 3', { kernel: 7, stride: 2, padding: 3 }, [[3, 3], [3, 3]], [1, 11, 10, 3]],
    ['1x7, padding (0, 3)', { kernel: [1, 7], padding: [0, 3] }, [[0, 0], [3, 3]], [2, 3, 9, 3]],
    ['1x1', { kernel: 1 }, [[0, 0], [0, 0]], [2, 5, 6, 3]],
    ['1x1, stride 2', { kernel: 1, stride: 2, bias: false }, [[0, 0], [0, 0]], [2, 5, 6, 3]],
    ['2x2, stride 2', { kernel: 2, stride: 2 }, [[0, 0], [0, 0]], [2, 6, 5, 3]],
  ] // prettier-ignore
  it.each(cases)('%s', (_, options, sides, xShape) => {
    const parameters = new Parameters()
    const layer = new Conv2d(parameters, 'c', 3, 4, options)
    parameters.initialise(random)
    const plain = (x: tf.Tensor, v: Values) => {
      const y = plainConv(x, v['c.weight'], sides, options.stride ?? 1)
      return v['c.bias'] ? tf.add(y, v['c.bias']) : y
    }
    expectAutomaticGradients(parameters, layer, plain, xShape)
    const x = normal(xShape)
    expect(layer.compute(x).dataSync()).toEqual(layer.forward(x).dataSync())
  })

  it('keeps the published order of the weight', () => {
    const parameters = new Parameters()
    const layer = new Conv2d(parameters, 'c', 2, 1, { kernel: [1, 2], bias: false })
    // (out 1, in 2, height 1, width 2)
    parameters.get('c.weight').upload('value', () => Float32Array.of(1, 10, 100, 1000))
    const x = tf.tensor4d([1, 3, 2, 4], [1, 1, 2, 2]) // pixels (1, 3) and (2, 4)
    expect([...layer.compute(x).dataSync()]).toEqual([1 * 1 + 2 * 10 + 3 * 100 + 4 * 1000])
  })

  it.each([
    { kernel: 3, padding: 1, stride: 1 },
    { kernel: 3, padding: 1, stride: 2 },
    { kernel: 7, padding: 3, stride: 1 },
  ])('depthwise, %j, gives each channel its own kernel', ({ kernel, padding, stride }) => {
    const parameters = new Parameters()
    const layer = new Conv2d(parameters, 'c', 3, 3, { kernel, padding, stride, groups: 3 })
    parameters.initialise(random)
    expect(parameters.get('c.weight').shape).toEqual([3, 1, kernel, kernel])
    const x = normal([2, 8, 6, 3])
    const [weight, bias] = ['c.weight', 'c.bias'].map((name) => [...parameters.get(name).download('value')][0])
    const channels = tf.split(x, 3, 3).map((channel, i) => {
      const own = weight.slice(i * kernel * kernel, (i + 1) * kernel * kernel)
      const side: [number, number] = [padding, padding]
      return tf.add(plainConv(channel, tf.tensor4d(own, [kernel, kernel, 1, 1]), [side, side], stride), bias[i])
    })
    expectClose(layer.compute(x).dataSync(), tf.concat(channels, 3).dataSync(), close, 'y')
  })

  it('on data hands over its gradients through the anchor', () => {
    const parameters = new Parameters()
    const layer = new Conv2d(parameters, 'c', 2, 2, { kernel: 3 })
    parameters.initialise(random)
    const gradients = collectGradients(parameters)
    tf.grad((anchor: tf.Tensor) => tf.sum(layer.forward(tf.ones([1, 4, 4, 2]), anchor as tf.Scalar)))(tf.scalar(0))
    expect([...gradients.get('c.bias')!]).toEqual([4, 4])
    expect(new Set(gradients.get('c.weight'))).toEqual(new Set([4]))
  })
})

describe('GroupNorm', () => {
  const plain = (groups: number, activation: string) => (x: tf.Tensor, v: Values) => {
    const channels = x.shape.at(-1)!
    const grouped = tf.reshape(x, [x.shape[0], -1, groups, channels / groups])
    const { mean, variance } = tf.moments(grouped, [1, 3], true)
    const normal = tf.reshape(tf.div(tf.sub(grouped, mean), tf.sqrt(tf.add(variance, 1e-3))), x.shape)
    const z = tf.add(tf.mul(normal, v['n.weight']), v['n.bias'])
    return activation === 'silu' ? tf.mul(z, tf.sigmoid(z)) : activation === 'relu' ? tf.relu(z) : z
  }
  it.each([
    [1, 'none', [2, 3, 4, 6]],
    [3, 'silu', [2, 3, 4, 6]],
    [6, 'relu', [2, 5, 6]],
    [2, 'silu', [3, 2, 2, 8]],
  ] as const)('of %d groups with %s on %j', (groups, activation, shape) => {
    const parameters = new Parameters()
    const layer = new GroupNorm(parameters, 'n', shape[shape.length - 1], { groups, eps: 1e-3, activation })
    for (const [name, about] of [
      ['n.weight', 1],
      ['n.bias', 0],
    ] as const)
      // prettier-ignore
      parameters
        .get(name)
        .upload('value', (_, count) => Float32Array.from({ length: count }, () => about + random.normal() / 2))
    expectAutomaticGradients(parameters, layer, plain(groups, activation), [...shape])
    const x = normal([...shape])
    expect(layer.compute(x).dataSync()).toEqual(layer.forward(x).dataSync())
  })

  it('with a convolution as one entry of the tape', () => {
    const parameters = new Parameters()
    const norm = new GroupNorm(parameters, 'n', 6, { groups: 3, eps: 1e-3, activation: 'silu' })
    const layer = new NormedConv2d(norm, new Conv2d(parameters, 'c', 6, 4, { kernel: 3, padding: 1 }))
    parameters.initialise(random)
    const formula = plain(3, 'silu')
    const sides: [number, number][] = [[1, 1], [1, 1]] // prettier-ignore
    expectAutomaticGradients(
      parameters,
      layer,
      (x, v) => tf.add(plainConv(formula(x, v), v['c.weight'], sides, 1), v['c.bias']),
      [2, 5, 4, 6],
    )
  })

  it('is as good far from zero', () => {
    const parameters = new Parameters()
    const layer = new GroupNorm(parameters, 'n', 4, { groups: 2 })
    parameters.initialise(random)
    const x = normal([1, 8, 8, 4])
    const shifted = layer.compute(tf.add(x, 100)).dataSync()
    expectClose(shifted, layer.compute(x).dataSync(), { atol: 1e-4, rtol: 0 }, 'y')
  })
})

describe('upsampling', () => {
  it('doubles every pixel', () => {
    const x = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1])
    expect([...upsampleNearest(x).dataSync()]).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4])
  })

  it.each([
    [2, 3, 4, 3],
    [1, 1, 1, 3],
  ])('with a convolution over [%d, %d, %d, %d] equals both one after the other', (...shape) => {
    const parameters = new Parameters()
    const layer = new UpsampledConv2d(parameters, 'c', 3, 5)
    parameters.initialise(random)
    const plain = (x: tf.Tensor, v: Values) => {
      const twice = (axis: number) => Array.from({ length: 2 * shape[axis] }, (_, i) => Math.floor(i / 2))
      const map = tf.gather(tf.gather(x, twice(1), 1), twice(2), 2)
      return tf.add(plainConv(map, v['c.weight'], [[1, 1], [1, 1]], 1), v['c.bias']) // prettier-ignore
    }
    expectAutomaticGradients(parameters, layer, plain, shape)
    const x = normal(shape)
    expect(layer.compute(x).dataSync()).toEqual(layer.forward(x).dataSync())
  })
})

describe('attention', () => {
  const plain = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads: number, scale: number) => {
    const split = (x: tf.Tensor) => (heads === 1 ? [x] : tf.split(x, heads, 2))
    const [ks, vs] = [split(k), split(v)]
    const outs = split(q).map((head, i) => {
      const p = tf.softmax(tf.mul(tf.matMul(head, ks[i], false, true), scale))
      return tf.matMul(p, vs[i])
    })
    return tf.concat(outs, 2)
  }
  it.each([
    [1, [2, 5, 6], [2, 5, 6], undefined, undefined],
    [3, [2, 5, 6], [2, 7, 6], undefined, undefined],
    [2, [3, 4, 8], [3, 4, 8], 0.7, undefined],
    [1, [3, 5, 4], [3, 7, 4], undefined, 20], // blocks of 2 rows and the rest
    [2, [3, 5, 4], [3, 7, 4], undefined, 200], // blocks of 5 heads and the rest
  ] as const)('of %d heads, q %j, k and v %j, scale %j, at most %j scores', (heads, qShape, kShape, scale, scores) => {
    const [q, k, v, dy] = [qShape, kShape, kShape, qShape].map((shape) => normal([...shape]))
    const factor = scale ?? 1 / Math.sqrt(qShape[2] / heads)
    const automatic = tf.valueAndGrads((...x: tf.Tensor[]) =>
      tf.sum(tf.mul(dy, plain(x[0], x[1], x[2], heads, factor))),
    )([q, k, v])
    const before = tf.memory().numTensors
    const ours = tf.valueAndGrads((...x: tf.Tensor[]) =>
      tf.sum(tf.mul(dy, attend(x[0], x[1], x[2], heads, scale, scores))),
    )([q, k, v])
    expect(tf.memory().numTensors - before).toBe(4)
    expectClose(ours.value.dataSync(), automatic.value.dataSync(), close, 'value')
    for (const [i, grad] of ours.grads.entries())
      expectClose(grad.dataSync(), automatic.grads[i].dataSync(), close, `gradient ${i}`)
  })
})
