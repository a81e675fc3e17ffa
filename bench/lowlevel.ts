/** One training step of the low-level network's upsampler on given maps: `node bench/lowlevel.ts full|medium|tiny`, see measure.ts. */
import * as tf from '@tensorflow/tfjs-core'
import { decoder, through } from '../src-main/models/vaeBlocks.ts'
import { AdamW } from '../src-main/nn/adamw.ts'
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { decays } from '../src-main/training/trainer.ts'
import { benchmark } from './measure.ts'

const SCALING = 0.18215

await benchmark({
  sizes: {
    full: { side: 16, channels: [64, 128, 256] },
    medium: { side: 16, channels: [32, 64, 128] },
    tiny: { side: 8, channels: [32, 32, 64] },
  },
  batch: 8,
  prepare({ side, channels }, batch) {
    const random = new Random(0)
    const parameters = new Parameters()
    const blocks = decoder(parameters, 'upsampler', {
      inputs: 64,
      outputs: 4,
      channels,
      layers: 1,
      norm: { groups: 32, eps: 1e-6 },
    })
    parameters.initialise(random)
    const normal = (pixels: number, depth: number) =>
      tf.tensor4d(
        Float32Array.from({ length: batch * pixels ** 2 * depth }, () => random.normal()),
        [batch, pixels, pixels, depth],
      )
    const [maps, target] = [normal(side, 64), normal(side * 2 ** (channels.length - 1), 4)]
    const optimizer = new AdamW(parameters, { beta2: 0.999, eps: 1e-8, weightDecay: 0.01, decays })
    return {
      parameters: parameters.count,
      step: () => {
        optimizer.begin(3e-4, 0.9)
        const { value, grad } = tf.valueAndGrad((anchor: tf.Tensor) => {
          const [first, ...rest] = blocks
          const predicted = through(first.forward(maps, anchor as tf.Scalar), rest)
          return tf.div(tf.mean(tf.abs(tf.sub(predicted, target))), SCALING)
        })(tf.scalar(0))
        optimizer.end()
        const loss = value.dataSync()[0]
        tf.dispose([value, grad])
        return loss
      },
    }
  },
})
