import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { dropout, LayerNorm, Linear, NormedLinear } from '../../src-main/nn/layers.ts'
import { Parameters, PIECE_ELEMENTS } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { expectClose } from '../support/fixtures.ts'
import { close, expectAutomaticGradients, normal } from '../support/gradients.ts'
import type { Values } from '../support/gradients.ts'
import { collectGradients } from '../support/parameters.ts'

beforeAll(() => loadBackend())

const random = new Random(1)
/** (f(x + h) − f(x − h)) / 2h along a random direction of one parameter or of the input, against the gradient. */
function expectFiniteDifference(f: () => number, shift: (by: number) => void, slope: number): void {
  const h = 1e-2
  shift(h)
  const up = f()
  shift(-2 * h)
  const down = f()
  shift(h)
  expect(Math.abs((up - down) / (2 * h) - slope)).toBeLessThan(1e-2 * Math.max(1, Math.abs(slope)))
}

const gelu = (z: tf.Tensor) => tf.mul(tf.mul(z, 0.5), tf.add(1, tf.erf(tf.div(z, Math.SQRT2))))
const layerNorm = (x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor) => {
  const { mean, variance } = tf.moments(x, -1, true)
  return gelu(tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), gain), bias))
}

describe('layers against automatic gradients', () => {
  const shapes = [
    [5, 7],
    [2, 3, 7],
    [40, 7],
  ] // 40 rows: more than outputs, so that the weight is scaled, not the input
  it.each(shapes)('Linear on %j', (...shape) => {
    for (const scale of [1, 0.7]) {
      const parameters = new Parameters()
      const layer = new Linear(parameters, 'l', 7, 11)
      parameters.initialise(random)
      parameters.get('l.weight').scale = scale
      const plain = (x: tf.Tensor, v: Values) =>
        tf.reshape(tf.add(tf.matMul(tf.reshape(x, [-1, 7]), v['l.weight'], false, true), v['l.bias']), [
          ...shape.slice(0, -1),
          11,
        ])
      expectAutomaticGradients(parameters, layer, plain, shape)
    }
  })

  it('Linear without bias', () => {
    const parameters = new Parameters()
    const layer = new Linear(parameters, 'l', 7, 4, { bias: false })
    parameters.initialise(random)
    expect([...parameters].map(({ name }) => name)).toEqual(['l.weight'])
    expectAutomaticGradients(
      parameters,
      layer,
      (x, v) => tf.matMul(x as tf.Tensor2D, v['l.weight'] as tf.Tensor2D, false, true),
      [5, 7],
    )
  })

  it.each([
    [5, 9],
    [2, 3, 9],
  ])('LayerNorm with GELU on %j', (...shape) => {
    const parameters = new Parameters()
    const layer = new LayerNorm(parameters, 'n', 9, 'gelu')
    parameters.initialise(random)
    parameters
      .get('n.weight')
      .upload('value', (_, count) => Float32Array.from({ length: count }, () => 1 + random.normal() / 3))
    parameters.get('n.bias').upload('value', (_, count) => Float32Array.from({ length: count }, () => random.normal()))
    expectAutomaticGradients(parameters, layer, (x, v) => layerNorm(x, v['n.weight'], v['n.bias']), shape)
  })

  it('LayerNorm over so many rows that they are taken in blocks', () => {
    const parameters = new Parameters()
    const layer = new LayerNorm(parameters, 'n', 1024, 'gelu')
    parameters.initialise(random)
    expectAutomaticGradients(
      parameters,
      layer,
      (x, v) => layerNorm(x, v['n.weight'], v['n.bias']),
      [700, 1024], // 2.7 blocks
    )
  })

  it.each([
    [5, 7],
    [2, 3, 7],
  ])('NormedLinear on %j', (...shape) => {
    const parameters = new Parameters()
    const layer = new NormedLinear(new Linear(parameters, 'l', 7, 11), new LayerNorm(parameters, 'n', 11, 'gelu'))
    parameters.initialise(random)
    const plain = (x: tf.Tensor, v: Values) =>
      layerNorm(
        tf.reshape(tf.add(tf.matMul(tf.reshape(x, [-1, 7]), v['l.weight'], false, true), v['l.bias']), [
          ...shape.slice(0, -1),
          11,
        ]),
        v['n.weight'],
        v['n.bias'],
      )
    expectAutomaticGradients(parameters, layer, plain, shape)
  })

  it('agree with finite differences', () => {
    const parameters = new Parameters()
    const layers = [new Linear(parameters, 'l', 6, 8), new LayerNorm(parameters, 'n', 8, 'gelu')]
    parameters.initialise(random)
    const [x, weights] = [normal([4, 6]), normal([4, 8])]
    const loss = (input: tf.Tensor) =>
      tf.sum(
        tf.mul(
          weights,
          layers.reduce((h, layer) => layer.forward(h), input),
        ),
      )
    const gradients = collectGradients(parameters)
    const dx = tf.grad(loss)(x)
    const value = () => loss(x).dataSync()[0]
    for (const parameter of parameters) {
      const direction = Float32Array.from({ length: parameter.size }, () => random.normal())
      const rowSize = parameter.size / parameter.shape[0]
      const slope = gradients.get(parameter.name)!.reduce((sum, g, i) => sum + g * direction[i], 0)
      const start = Float32Array.from([...parameter.download('value')].flatMap((part) => [...part]))
      let by = 0
      const shift = (more: number) => {
        by += more
        parameter.upload('value', (from, count) =>
          start.slice(from * rowSize, (from + count) * rowSize).map((s, i) => s + by * direction[from * rowSize + i]),
        )
      }
      expectFiniteDifference(value, shift, slope)
    }
    const direction = normal([4, 6])
    const slope = tf.sum(tf.mul(dx, direction)).dataSync()[0]
    const along = (h: number) => loss(tf.add(x, tf.mul(direction, h))).dataSync()[0]
    expect(Math.abs((along(1e-2) - along(-1e-2)) / 2e-2 - slope)).toBeLessThan(1e-2 * Math.max(1, Math.abs(slope)))
  })

  it('a layer on data hands over its gradients through the anchor', () => {
    const parameters = new Parameters()
    const layer = new Linear(parameters, 'l', 3, 2)
    parameters.initialise(random)
    const gradients = collectGradients(parameters)
    tf.grad((anchor: tf.Tensor) => tf.sum(layer.forward(tf.ones([4, 3]), anchor as tf.Scalar)))(tf.scalar(0))
    expect([...gradients.get('l.bias')!]).toEqual([4, 4])
    expect([...gradients.get('l.weight')!]).toEqual([4, 4, 4, 4, 4, 4])
  })
})

describe('parameters', () => {
  it('are cut into pieces of whole rows and joined again', () => {
    const width = 1 << 12
    const height = (2 * PIECE_ELEMENTS) / width + 3
    const parameters = new Parameters()
    const parameter = parameters.add('big', [height, width], { constant: 0 })
    expect(parameter.rows).toHaveLength(3)
    expect(parameter.rows.at(-1)!.stop).toBe(height)
    parameters.dispose()
  })

  it('a layer in pieces computes the same as in one', () => {
    const results = [undefined, 3 * 5].map((pieceElements) => {
      const parameters = new Parameters(pieceElements)
      const layer = new Linear(parameters, 'l', 5, 8)
      parameters.initialise(new Random(4))
      const gradients = collectGradients(parameters)
      const x = tf.tensor2d(
        Float32Array.from({ length: 10 }, (_, i) => Math.sin(i)),
        [2, 5],
      )
      const { value, grad } = tf.valueAndGrad((input: tf.Tensor) => tf.sum(tf.square(layer.forward(input))))(x)
      expect(parameters.get('l.weight').rows).toHaveLength(pieceElements ? 3 : 1)
      return [value.dataSync(), grad.dataSync(), gradients.get('l.weight')!, gradients.get('l.bias')!]
    })
    for (const [i, whole] of results[0].entries()) expectClose(results[1][i], whole, close, `result ${i}`)
  })

  it('refuse arrays of another model by name', () => {
    const parameters = new Parameters()
    new Linear(parameters, 'l', 2, 3)
    const entry = (name: string, shape: number[]) => ({
      name,
      dtype: 'float32' as const,
      shape,
      read: () => expect.fail('read'),
      readRows: () => expect.fail('read'),
    })
    const load = () => parameters.load([entry('l.weight', [2, 3]), entry('other', [1])], 'model.safetensors')
    expect(load).toThrow(/l\.weight is \[2,3\] instead of \[3,2\]; l\.bias \[3\] is missing; other \[1\] is extra/)
  })
})

describe('dropout', () => {
  it('keeps 1 − p of the elements at 1 / (1 − p), the same for the same stream', () => {
    const x = tf.ones([100, 100])
    const draw = () => dropout(x, 0.3, new Random(9)).dataSync()
    const values = draw()
    expect(values).toEqual(draw())
    const kept = values.filter((v) => v > 0)
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / 0.7)]))
    expect(Math.abs(kept.length / values.length - 0.7)).toBeLessThan(0.02)
    expect(dropout(x, 0.3, undefined)).toBe(x)
  })
})
