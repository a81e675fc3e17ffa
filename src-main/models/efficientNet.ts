import * as tf from '@tensorflow/tfjs-core'
import { activations } from '../nn/activations.ts'
import { Conv2d } from '../nn/conv.ts'
import { globalAverage } from '../nn/pooling.ts'
import { chain, FrozenNetwork } from './frozenNetwork.ts'
import type { MapLayer } from './frozenNetwork.ts'

/** Stages of inverted bottlenecks; `blocks` already scaled by B1's depth of 1.1. */
const STAGES = [
  { expansion: 1, kernel: 3, stride: 1, outputs: 16, blocks: 2 },
  { expansion: 6, kernel: 3, stride: 2, outputs: 24, blocks: 3 },
  { expansion: 6, kernel: 5, stride: 2, outputs: 40, blocks: 3 },
  { expansion: 6, kernel: 3, stride: 2, outputs: 80, blocks: 4 },
  { expansion: 6, kernel: 5, stride: 1, outputs: 112, blocks: 4 },
  { expansion: 6, kernel: 5, stride: 2, outputs: 192, blocks: 5 },
  { expansion: 6, kernel: 3, stride: 1, outputs: 320, blocks: 2 },
] as const
const STEM = 32
const LAST = 1280

interface Block {
  expansion: number
  kernel: number
  stride: number
  inputs: number
  outputs: number
}

/** EfficientNet-B1 (arXiv 1905.11946; torchvision `efficientnet_b1`, whose parameter names these are). */
export class EfficientNetB1 extends FrozenNetwork {
  protected readonly ignored = ['classifier.']
  private readonly layers: readonly MapLayer[]

  constructor() {
    super()
    const edge = (index: number, inputs: number, outputs: number, kernel: number, stride: number) =>
      this.convNorm(`features.${index}.0`, `features.${index}.1`, inputs, outputs, {
        kernel,
        stride,
        padding: (kernel - 1) / 2,
        activation: 'silu',
      })
    const stem = edge(0, 3, STEM, 3, 2)
    let inputs = STEM
    const stages = STAGES.flatMap(({ blocks, stride, ...stage }, s) =>
      Array.from({ length: blocks }, (_, i) => {
        const block = { ...stage, stride: i === 0 ? stride : 1, inputs }
        inputs = stage.outputs
        return this.invertedBottleneck(`features.${s + 1}.${i}.block`, block)
      }),
    )
    this.layers = [stem, ...stages, edge(STAGES.length + 1, inputs, LAST, 1, 1), globalAverage]
  }

  /** Widen, filter each channel, weigh the channels, narrow; added to the input where the shapes agree. */
  private invertedBottleneck(name: string, { expansion, kernel, stride, inputs, outputs }: Block): MapLayer {
    const width = inputs * expansion
    let index = 0
    const part = () => {
      const i = index++
      return [`${name}.${i}.0`, `${name}.${i}.1`] as const
    }
    const layers: MapLayer[] = []
    if (expansion > 1) layers.push(this.convNorm(...part(), inputs, width, { kernel: 1, activation: 'silu' }))
    const padding = (kernel - 1) / 2
    layers.push(
      this.convNorm(...part(), width, width, { kernel, stride, padding, groups: width, activation: 'silu' }),
      this.squeezeExcitation(`${name}.${index++}`, width, Math.floor(inputs / 4)),
      this.convNorm(...part(), width, outputs, { kernel: 1, activation: 'none' }),
    )
    return stride === 1 && inputs === outputs ? (x) => tf.add(chain(x, layers), x) : (x) => chain(x, layers)
  }

  /** A weight for each channel from the averages of all (arXiv 1709.01507). */
  private squeezeExcitation(name: string, width: number, squeezed: number): MapLayer {
    const fc1 = new Conv2d(this.parameters, `${name}.fc1`, width, squeezed, { kernel: 1 })
    const fc2 = new Conv2d(this.parameters, `${name}.fc2`, squeezed, width, { kernel: 1 })
    return (x) => {
      const squeeze = activations.silu.of(fc1.compute(globalAverage(x))) // (B, 1, 1, squeezed)
      return tf.mul(x, tf.sigmoid(fc2.compute(squeeze)))
    }
  }

  /** `avgpool` (B, 1, 1, 1280). */
  features(images: tf.Tensor4D): { avgpool: tf.Tensor4D } {
    return { avgpool: chain(images, this.layers) }
  }
}
