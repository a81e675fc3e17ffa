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

/**
 * Compares the gradient of every parameter with finite differences of the loss along it. The loss is computed on the tape with an anchor, off
 * the tape without; values are of the size of 1.
 */
export function expectFiniteDifferences(parameters: Parameters, loss: (anchor?: tf.Scalar) => tf.Tensor): void {
  const gradients = collectGradients(parameters)
  tf.grad((anchor: tf.Tensor) => loss(anchor as tf.Scalar))(tf.scalar(0))
  expect([...gradients.keys()].sort()).toEqual([...parameters].map(({ name }) => name).sort())
  const value = () => tf.tidy(() => loss()).dataSync()[0]
  for (const parameter of parameters) {
    const gradient = gradients.get(parameter.name)!
    const start = [...parameter.download('value')][0]
    const length = Math.hypot(...gradient) // the slope along the gradient itself
    const at = (by: number) => {
      parameter.upload('value', () => start.map((s, i) => s + (by * gradient[i]) / (length || 1)))
      return value()
    }
    const slope = (at(1e-3) - at(-1e-3)) / 2e-3
    at(0)
    const message = `${parameter.name}: ${slope} instead of ${length}`
    expect(Math.abs(slope - length), message).toBeLessThan(1e-3 * length + 3e-3)
  }
}
