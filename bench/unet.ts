/** One forward pass of the Stable-Diffusion-size UNet with a prepared context, timed; random weights. See measure.ts for arguments. */
import * as tf from '@tensorflow/tfjs-core'
import { unetConfig } from '../src-main/models/unetConfig.ts'
import { VersatileDiffusionUnet } from '../src-main/models/versatileDiffusionUnet.ts'
import { numbersOf } from '../src-main/nn/numbers.ts'
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { benchmark } from './measure.ts'

const CONTEXT = { tokens: 257, width: 768 }

await benchmark({
  sizes: {
    tiny: { channels: [32, 64, 128, 128], side: 16 },
    medium: { channels: [128, 256, 512, 512], side: 32 },
    full: { channels: [320, 640, 1280, 1280], side: 64 },
  },
  batch: 2, // one image, with and without its context (classifier-free guidance)
  prepare({ channels, side }, batch) {
    const random = new Random(0)
    const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
    const json = { block_out_channels: channels, cross_attention_dim: CONTEXT.width }
    const parameters = new Parameters()
    const model = new VersatileDiffusionUnet(parameters, unetConfig(json, 'config'))
    // A short table again and again: drawing 860 million numbers takes longer than the benchmark. Biggest first, as files are read.
    const table = normal(1 << 16)
    for (const parameter of [...parameters].sort((a, b) => b.size - a.size)) {
      const [rows, rowSize] = [parameter.shape[0], parameter.size / parameter.shape[0]]
      const [gain, spread] = parameter.shape.length === 1 ? [1, 0.1] : [0, 0.7 / Math.sqrt(rowSize)]
      parameter.upload('value', (start, count = rows) => {
        const numbers = new Float32Array(count * rowSize)
        for (let i = 0, from = start; i < numbers.length; i++)
          numbers[i] = gain + spread * table[from++ & (table.length - 1)]
        return numbers
      })
    }
    const latents = tf.tensor4d(normal(batch * side * side * 4), [batch, side, side, 4])
    const context = tf.tensor3d(normal(batch * CONTEXT.tokens * CONTEXT.width), [batch, CONTEXT.tokens, CONTEXT.width])
    const prepared = model.prepareContext(context)
    return {
      parameters: parameters.count,
      step: () => numbersOf(() => tf.mean(tf.abs(model.forward(latents, 849, prepared))))[0],
    }
  },
})
