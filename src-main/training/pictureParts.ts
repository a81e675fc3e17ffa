import * as tf from '@tensorflow/tfjs-core'
import { existsSync } from 'node:fs'
import type { BrainNetwork } from '../models/brainNetwork.ts'
import { numbersOf } from '../nn/numbers.ts'
import { Parameters } from '../nn/parameters.ts'
import { loadModel } from '../nn/stateFile.ts'
import { loadRidge, networkOutput, ridgeOutput } from './decoder.ts'
import type { ImageShape } from '../subjects/pictures.ts'
import type { TrainingConfig } from './fields.ts'
import { foldFiles } from './foldFiles.ts'
import { createHighLevel, createPixelNetwork } from './highLevel.ts'
import { squaredSide } from './images.ts'
import type { RidgeModel } from './ridge.ts'
import { StudyEncoder } from './studyEncoder.ts'

/** The ways from voxels to a small study's pictures: ridge regression, the low-level network, the decoded embedding. */
export const partNames = ['ridge', 'low', 'high'] as const
export type Part = (typeof partNames)[number]

/** Pictures (n, side² · channels) by the way they came; without ridge regression where there were too many trials for it. */
export type PartPictures = Record<'low' | 'high', Float32Array> & { ridge?: Float32Array }

export interface PartModels {
  ridge?: RidgeModel
  brain: BrainNetwork
  pixels: BrainNetwork
  encoder: StudyEncoder
}

/** The pictures that z-scored voxels (n, V) give. */
export function predictParts({ ridge, brain, pixels, encoder }: PartModels, voxels: Float32Array): PartPictures {
  const logits = networkOutput(pixels, 'backbone')(voxels)
  return {
    ...(ridge && { ridge: ridgeOutput(ridge)(voxels) }),
    low: numbersOf(() => tf.sigmoid(tf.tensor1d(logits))),
    high: encoder.decode(networkOutput(brain, 'backbone')(voxels)),
  }
}

/** The size of the pictures that a study's parts give, of its images' shape. */
export const partShape = (
  { encoderPixels }: Pick<TrainingConfig, 'encoderPixels'>,
  image: ImageShape,
): { side: number; channels: number } => ({ side: squaredSide(image, encoderPixels), channels: image.channels })

/** Opens the parts of a finished fold. */
export function loadParts(
  folder: string,
  config: TrainingConfig,
  voxels: number,
  image: ImageShape,
): PartModels & { dispose(): void } {
  const files = foldFiles(folder)
  const { side, channels } = partShape(config, image)
  const [high, low] = [new Parameters(), new Parameters()]
  const { brain } = createHighLevel(high, config, voxels)
  const pixels = createPixelNetwork(low, config, voxels, side * side * channels)
  const encoder = new StudyEncoder(side, channels, config.width)
  loadModel(files.model, high)
  loadModel(files.low, low)
  encoder.load(files.encoder)
  return {
    ...(existsSync(files.ridge) && { ridge: loadRidge(files.ridge) }),
    ...{ brain, pixels, encoder },
    dispose() {
      for (const each of [high, low, encoder]) each.dispose()
    },
  }
}
