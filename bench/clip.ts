/** One forward pass of the CLIP image tower with MindEye's embedding, timed; random weights. See measure.ts for arguments. */
import * as tf from '@tensorflow/tfjs-core'
import { numbersOf } from '../src-main/nn/numbers.ts'
import { ClipVision, type ClipVisionConfig } from '../src-main/models/clipVision.ts'
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { benchmark } from './measure.ts'

const size = (width: number, heads: number, layers: number, projection: number): ClipVisionConfig => ({
  ...{ width, heads, layers, projection, mlpWidth: 4 * width },
  ...{ channels: 3, image: 224, patch: 14, activation: 'quick_gelu', eps: 1e-5 },
})

await benchmark({
  sizes: { tiny: size(128, 2, 2, 64), medium: size(512, 8, 6, 256), full: size(1024, 16, 24, 768) },
  batch: 8,
  prepare(config, batch) {
    const random = new Random(0)
    const parameters = new Parameters()
    const model = new ClipVision(parameters, config)
    parameters.initialise(random)
    const shape: [number, number, number, number] = [batch, config.image, config.image, config.channels]
    const pixels = tf.tensor4d(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
      shape,
    )
    return {
      parameters: parameters.count,
      step: () => numbersOf(() => model.embedding(pixels)).reduce((s, x) => s + x),
    }
  },
})
