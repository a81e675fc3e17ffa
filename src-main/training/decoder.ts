import * as tf from '@tensorflow/tfjs-core'
import { writeFileAtomic } from '../base/files.ts'
import type { NdArray } from '../formats/array.ts'
import { encodeSafetensors } from '../formats/safetensors.ts'
import type { BrainNetwork } from '../models/brainNetwork.ts'
import { LowLevelNetwork } from '../models/lowLevelNetwork.ts'
import { numbersOf } from '../nn/numbers.ts'
import { Parameters } from '../nn/parameters.ts'
import { loadModel } from '../nn/stateFile.ts'
import type { TrainingConfig } from './fields.ts'
import { readArrays } from './foldFiles.ts'
import { createHighLevel } from './highLevel.ts'
import { lowLevelSizes } from './lowLevelConfig.ts'
import type { RidgeModel } from './ridge.ts'
import { predictRidge } from './ridge.ts'

/** Turns z-scored voxels (n, V) into embeddings comparable with the images', (n, N). */
export interface Decoder {
  predict(voxels: Float32Array): Float32Array
  dispose(): void
}

/** Rows that go through a network at once. */
const BATCH = 64
const LATENTS_AT_ONCE = 8

/**
 * An output of voxel2clip, (n, T·D): the projector's (the backbone's, if it has none), which retrieval compares, or the backbone's, which is
 * trained towards the embedding itself. Disposing is the parameters' owner's affair.
 */
export function networkOutput(model: BrainNetwork, output: 'projected' | 'backbone'): Decoder['predict'] {
  const { voxels: width, tokens, width: token } = model.config
  return (voxels) => {
    const rows = voxels.length / width
    const out = new Float32Array(rows * tokens * token)
    for (let at = 0; at < rows; at += BATCH)
      tf.tidy(() => {
        const count = Math.min(BATCH, rows - at)
        const x = tf.tensor2d(voxels.subarray(at * width, (at + count) * width), [count, width])
        const { projected, backbone } = model.forward(x)
        out.set((output === 'backbone' ? backbone : (projected ?? backbone)).dataSync<'float32'>(), at * tokens * token)
      })
    return out
  }
}

/** The latents (n, H·W·L), channels last, of the low-level network. */
function lowLevelDecoder(model: LowLevelNetwork, parameters: Parameters): Decoder {
  const { voxels: width } = model.config
  return {
    predict(voxels) {
      const rows = voxels.length / width
      const parts: Float32Array[] = []
      for (let at = 0; at < rows; at += LATENTS_AT_ONCE)
        parts.push(
          numbersOf(() => {
            const count = Math.min(LATENTS_AT_ONCE, rows - at)
            return model.forward(tf.tensor2d(voxels.subarray(at * width, (at + count) * width), [count, width])).latent
          }),
        )
      const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
      let at = 0
      for (const part of parts) {
        out.set(part, at)
        at += part.length
      }
      return out
    },
    dispose: () => parameters.dispose(),
  }
}

export const ridgeOutput =
  (model: RidgeModel): Decoder['predict'] =>
  (voxels) =>
    predictRidge(model, { count: voxels.length / model.voxels, width: model.voxels, data: voxels })

export function saveRidge(path: string, { voxels, targets, weights, intercept, alpha }: RidgeModel): void {
  const tensors: Record<string, NdArray> = {
    weights: { dtype: 'float32', shape: [voxels, targets], data: Float32Array.from(weights) },
    intercept: { dtype: 'float32', shape: [targets], data: Float32Array.from(intercept) },
    alpha: { dtype: 'float64', shape: [targets], data: Float64Array.from(alpha) },
  }
  writeFileAtomic(path, encodeSafetensors(tensors))
}

export function loadRidge(path: string): RidgeModel {
  const arrays = readArrays(path)
  const data = <T>(name: string) => arrays.get(name)!.data as T
  const [voxels, targets] = arrays.get('weights')!.shape
  return { voxels, targets, weights: data('weights'), intercept: data('intercept'), alpha: data('alpha') }
}

/** Opens the trained decoder of a fold. */
export function loadDecoder(path: string, config: TrainingConfig, voxels: number): Decoder {
  if (config.method === 'ridge') return { predict: ridgeOutput(loadRidge(path)), dispose() {} }
  const parameters = new Parameters()
  if (config.method === 'low-level') {
    const model = new LowLevelNetwork(parameters, lowLevelSizes(config, voxels))
    loadModel(path, parameters)
    return lowLevelDecoder(model, parameters)
  }
  const { brain } = createHighLevel(parameters, config, voxels)
  loadModel(path, parameters)
  return { predict: networkOutput(brain, 'projected'), dispose: () => parameters.dispose() }
}
