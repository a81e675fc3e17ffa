import * as tf from '@tensorflow/tfjs-core'
import { expect } from 'vitest'
import type { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { expectClose } from './fixtures.ts'
import { collectGradients } from './parameters.ts'

export const close = { atol: 1e-6, rtol: 2e-5 }
const random = new Random(1)
/** Numbers from N(0, 1), other ones at each call. */
export const normal = (shape: number[]) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
  )

export interface Layer {
  forward(x: tf.Tensor): tf.Tensor
}
/** Parameters by name, axes in the order in which they are kept. */
export type Values = Record<string, tf.Tensor>

/** Compares output, input gradient and parameter gradients with TensorFlow.js' automatic ones of the plain formula. */
export function expectAutomaticGradients(
  parameters: Parameters,
  layer: Layer,
  plain: (x: tf.Tensor, values: Values) => tf.Tensor,
  xShape: number[],
): void {
  const x = normal(xShape)
  const values: Values = Object.fromEntries([...parameters].map((p) => [p.name, p.value()]))
  const weights = normal(plain(x, values).shape) // makes dy different everywhere
  const names = Object.keys(values)
  const automatic = tf.valueAndGrads((...args: tf.Tensor[]) =>
    tf.sum(tf.mul(weights, plain(args[0], Object.fromEntries(names.map((name, i) => [name, args[i + 1]]))))),
  )([x, ...names.map((name) => values[name])])
  const gradients = collectGradients(parameters)
  const ours = tf.valueAndGrad((input: tf.Tensor) => tf.sum(tf.mul(weights, layer.forward(input))))(x)
  expectClose(ours.value.dataSync(), automatic.value.dataSync(), close, 'value')
  expectClose(ours.grad.dataSync(), automatic.grads[0].dataSync(), close, 'dx')
  expect([...gradients.keys()].sort()).toEqual([...names].sort())
  for (const [i, name] of names.entries())
    expectClose(
      gradients.get(name)!,
      parameters.get(name).toPublished(automatic.grads[i + 1].dataSync<'float32'>()),
      close,
      name,
    )
}
