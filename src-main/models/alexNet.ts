import * as tf from '@tensorflow/tfjs-core'
import { Conv2d } from '../nn/conv.ts'
import { maxPool } from '../nn/pooling.ts'
import { chain, FrozenNetwork } from './frozenNetwork.ts'
import type { MapLayer } from './frozenNetwork.ts'

/** The convolutions by their index among `features`, each followed by a ReLU. */
const CONVOLUTIONS = [
  { index: 0, inputs: 3, outputs: 64, kernel: 11, stride: 4, padding: 2 },
  { index: 3, inputs: 64, outputs: 192, kernel: 5, padding: 2 },
  { index: 6, inputs: 192, outputs: 384, kernel: 3, padding: 1 },
  { index: 8, inputs: 384, outputs: 256, kernel: 3, padding: 1 },
  { index: 10, inputs: 256, outputs: 256, kernel: 3, padding: 1 },
] as const

/** AlexNet in its one-GPU form (arXiv 1404.5997; torchvision `alexnet`, whose parameter names these are). */
export class AlexNet extends FrozenNetwork {
  protected readonly ignored = ['classifier.']
  private readonly layers: readonly MapLayer[]

  constructor() {
    super()
    this.layers = CONVOLUTIONS.map(({ index, inputs, outputs, ...options }) => {
      const conv = new Conv2d(this.parameters, `features.${index}`, inputs, outputs, options)
      return (x) => tf.relu(conv.compute(x))
    })
  }

  /** `features.4`, (B, H', W', 192), and `features.11`, (B, H'', W'', 256): the ReLUs after the second and the last convolution. */
  features(images: tf.Tensor4D): { 'features.4': tf.Tensor4D; 'features.11': tf.Tensor4D } {
    const pool: MapLayer = (x) => maxPool(x, 3, 2)
    const [first, second, ...rest] = this.layers
    const early = chain(images, [first, pool, second])
    return { 'features.4': early, 'features.11': chain(early, [pool, ...rest]) }
  }
}
