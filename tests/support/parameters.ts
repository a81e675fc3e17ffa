import * as tf from '@tensorflow/tfjs-core'
import type { ArrayEntry, NdArray } from '../../src-main/formats/array.ts'
import { openBytes } from '../../src-main/formats/source.ts'
import { encodeSafetensors, openSafetensors } from '../../src-main/formats/safetensors.ts'
import type { Parameters } from '../../src-main/nn/parameters.ts'

type Weights = ReadonlyMap<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>

/** Weights by state-dict key as the arrays of a file. */
export function weightArrays(weights: Weights): ArrayEntry[] {
  const tensors: Record<string, NdArray> = {}
  for (const [name, { shape, data }] of weights) tensors[name] = { dtype: 'float32', shape, data }
  return openSafetensors(openBytes(encodeSafetensors(tensors), 'weights')).arrays
}

/** Loads weights by state-dict key through the same door as a file's. */
export function loadWeights(parameters: Parameters, weights: Weights): void {
  parameters.load(weightArrays(weights), 'weights')
}

/** Makes the parameters hand their gradients to a map by name, pieces joined; filled by the next backward pass. */
export function collectGradients(parameters: Parameters): Map<string, Float32Array> {
  const gradients = new Map<string, Float32Array>()
  parameters.sink = (parameter, piece, gradient) => {
    const whole = gradients.get(parameter.name) ?? new Float32Array(parameter.size)
    const rowSize = parameter.size / (parameter.shape[0] ?? 1)
    whole.set(parameter.toPublished(gradient.dataSync<'float32'>()), parameter.rows[piece].start * rowSize)
    gradients.set(parameter.name, whole)
    tf.dispose(gradient)
  }
  return gradients
}
