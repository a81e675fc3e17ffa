import * as tf from '@tensorflow/tfjs-core'
import { globalAverage, maxPool } from '../nn/pooling.ts'
import { chain, FrozenNetwork } from './frozenNetwork.ts'
import type { MapLayer } from './frozenNetwork.ts'

/** Blocks of the four stages, whose bottlenecks are 64, 128, 256 and 512 wide. */
const BLOCKS = [3, 4, 6, 3]
const EXPANSION = 4

/**
 * ResNet-50 (arXiv 1512.03385; torchvision `resnet50`, whose parameter names these are, with the stride in the 3x3 convolution).
 * Also loads SwAV's file `swav_800ep_pretrain.pth.tar` (arXiv 2006.09882).
 */
export class ResNet50 extends FrozenNetwork {
  protected readonly ignored = ['fc.', 'projection_head.', 'prototypes.']
  private readonly layers: readonly MapLayer[]

  constructor() {
    super()
    const stem = this.convNorm('conv1', 'bn1', 3, 64, { kernel: 7, stride: 2, padding: 3, activation: 'relu' })
    let inputs = 64
    const stages = BLOCKS.flatMap((blocks, stage) => {
      const width = 64 << stage
      return Array.from({ length: blocks }, (_, i) => {
        const block = this.bottleneck(`layer${stage + 1}.${i}`, inputs, width, stage > 0 && i === 0 ? 2 : 1)
        inputs = width * EXPANSION
        return block
      })
    })
    this.layers = [stem, (x) => maxPool(x, 3, 2, 1), ...stages, globalAverage]
  }

  private bottleneck(name: string, inputs: number, width: number, stride: number): MapLayer {
    const outputs = width * EXPANSION
    const part = (i: number) => [`${name}.conv${i}`, `${name}.bn${i}`] as const
    const layers = [
      this.convNorm(...part(1), inputs, width, { kernel: 1, activation: 'relu' }),
      this.convNorm(...part(2), width, width, { kernel: 3, stride, padding: 1, activation: 'relu' }),
      this.convNorm(...part(3), width, outputs, { kernel: 1, activation: 'none' }),
    ]
    const shortcut =
      inputs === outputs
        ? (x: tf.Tensor4D) => x
        : this.convNorm(`${name}.downsample.0`, `${name}.downsample.1`, inputs, outputs, {
            kernel: 1,
            stride,
            activation: 'none',
          })
    return (x) => tf.relu(tf.add(chain(x, layers), shortcut(x)))
  }

  /** `avgpool` (B, 1, 1, 2048). */
  features(images: tf.Tensor4D): { avgpool: tf.Tensor4D } {
    return { avgpool: chain(images, this.layers) }
  }
}
