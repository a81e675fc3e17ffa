/** One training step of the diffusion prior's network: `node bench/prior.ts full|medium|tiny`, see measure.ts. */
import * as tf from '@tensorflow/tfjs-core'
import { PriorNetwork } from '../src-main/models/priorNetwork.ts'
import { AdamW } from '../src-main/nn/adamw.ts'
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { decays } from '../src-main/training/trainer.ts'
import { benchmark } from './measure.ts'

await benchmark({
  sizes: {
    full: { tokens: 257, width: 768, depth: 6, heads: 12, headDim: 64 },
    medium: { tokens: 65, width: 256, depth: 4, heads: 4, headDim: 64 },
    tiny: { tokens: 17, width: 64, depth: 2, heads: 1, headDim: 64 },
  },
  batch: 4,
  prepare(config, batch) {
    const random = new Random(0)
    const parameters = new Parameters()
    const network = new PriorNetwork(parameters, config)
    parameters.initialise(random)
    const { tokens, width } = config
    const normal = () =>
      tf.tensor3d(
        Float32Array.from({ length: batch * tokens * width }, () => random.normal()),
        [batch, tokens, width],
      )
    const [image, brain, target] = [normal(), normal(), normal()]
    const keep = () => Float32Array.from({ length: batch }, () => (random.uniform() > 0.2 ? 1 : 0))
    const times = Float32Array.from({ length: batch }, () => random.int(100))
    const [keepBrain, keepImage] = [keep(), keep()]
    const optimizer = new AdamW(parameters, { beta2: 0.999, eps: 1e-8, weightDecay: 0.01, decays })
    return {
      parameters: parameters.count,
      step: () => {
        optimizer.begin(3e-4, 0.9)
        const { value, grad } = tf.valueAndGrad((anchor: tf.Tensor) => {
          const inputs = { image, times, brain, keepBrain, keepImage }
          const predicted = network.forward(inputs, anchor as tf.Scalar)
          return tf.mean(tf.square(tf.sub(predicted, target)))
        })(tf.scalar(0))
        optimizer.end()
        const loss = value.dataSync()[0]
        tf.dispose([value, grad])
        return loss
      },
    }
  },
})
