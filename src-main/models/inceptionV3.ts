import * as tf from '@tensorflow/tfjs-core'
import { averagePool, globalAverage, maxPool } from '../nn/pooling.ts'
import { chain, FrozenNetwork } from './frozenNetwork.ts'
import type { MapLayer } from './frozenNetwork.ts'

interface Shape {
  kernel?: number | readonly [number, number]
  stride?: number
  padding?: number | readonly [number, number]
}

const ROW = { kernel: [1, 7], padding: [0, 3] } as const
const COLUMN = { kernel: [7, 1], padding: [3, 0] } as const
const SHORT_ROW = { kernel: [1, 3], padding: [0, 1] } as const
const SHORT_COLUMN = { kernel: [3, 1], padding: [1, 0] } as const
const SQUARE = { kernel: 3, padding: 1 } as const
const HALVING = { kernel: 3, stride: 2 } as const

const halvingPool: MapLayer = (x) => maxPool(x, 3, 2)
const smoothingPool: MapLayer = (x) => averagePool(x, 3, 1, 1)

/** All branches over the same map, joined along the channels. */
const parallel =
  (...branches: readonly (readonly MapLayer[])[]): MapLayer =>
  (x) =>
    tf.concat(
      branches.map((layers) => chain(x, layers)),
      3,
    )

/** The published network takes inputs in [−1, 1]; torchvision brings images normalized for its other networks there. */
function fromImageNetNormalization(images: tf.Tensor4D): tf.Tensor4D {
  const [mean, std] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ]
  const scale = std.map((s) => s / 0.5)
  const shift = mean.map((m) => (m - 0.5) / 0.5)
  return tf.add(tf.mul(images, scale), shift)
}

/**
 * Inception v3 (arXiv 1512.00567; torchvision `inception_v3` with published weights, whose parameter names these are and whose
 * `transform_input` is on).
 */
export class InceptionV3 extends FrozenNetwork {
  protected readonly ignored = ['AuxLogits.', 'fc.']
  private readonly layers: readonly MapLayer[]

  constructor() {
    super()
    this.layers = [
      fromImageNetNormalization,
      this.conv('Conv2d_1a_3x3', 3, 32, HALVING),
      this.conv('Conv2d_2a_3x3', 32, 32, { kernel: 3 }),
      this.conv('Conv2d_2b_3x3', 32, 64, SQUARE),
      halvingPool,
      this.conv('Conv2d_3b_1x1', 64, 80),
      this.conv('Conv2d_4a_3x3', 80, 192, { kernel: 3 }),
      halvingPool,
      this.mixed5('Mixed_5b', 192, 32),
      this.mixed5('Mixed_5c', 256, 64),
      this.mixed5('Mixed_5d', 288, 64),
      this.mixed6a('Mixed_6a', 288),
      this.mixed6('Mixed_6b', 128),
      this.mixed6('Mixed_6c', 160),
      this.mixed6('Mixed_6d', 160),
      this.mixed6('Mixed_6e', 192),
      this.mixed7a('Mixed_7a', 768),
      this.mixed7('Mixed_7b', 1280),
      this.mixed7('Mixed_7c', 2048),
      globalAverage,
    ]
  }

  private conv(name: string, inputs: number, outputs: number, shape: Shape = {}): MapLayer {
    const options = { kernel: 1, ...shape, eps: 1e-3, activation: 'relu' } as const
    return this.convNorm(`${name}.conv`, `${name}.bn`, inputs, outputs, options)
  }

  private mixed5(name: string, inputs: number, pooled: number): MapLayer {
    const conv = (part: string, from: number, to: number, shape?: Shape) =>
      this.conv(`${name}.${part}`, from, to, shape)
    return parallel(
      [conv('branch1x1', inputs, 64)],
      [conv('branch5x5_1', inputs, 48), conv('branch5x5_2', 48, 64, { kernel: 5, padding: 2 })],
      [
        conv('branch3x3dbl_1', inputs, 64),
        conv('branch3x3dbl_2', 64, 96, SQUARE),
        conv('branch3x3dbl_3', 96, 96, SQUARE),
      ],
      [smoothingPool, conv('branch_pool', inputs, pooled)],
    )
  }

  private mixed6a(name: string, inputs: number): MapLayer {
    return parallel(
      [this.conv(`${name}.branch3x3`, inputs, 384, HALVING)],
      [
        this.conv(`${name}.branch3x3dbl_1`, inputs, 64),
        this.conv(`${name}.branch3x3dbl_2`, 64, 96, SQUARE),
        this.conv(`${name}.branch3x3dbl_3`, 96, 96, HALVING),
      ],
      [halvingPool],
    )
  }

  private mixed6(name: string, narrow: number): MapLayer {
    const inputs = 768
    const conv = (part: string, from: number, to: number, shape?: Shape) =>
      this.conv(`${name}.${part}`, from, to, shape)
    return parallel(
      [conv('branch1x1', inputs, 192)],
      [
        conv('branch7x7_1', inputs, narrow),
        conv('branch7x7_2', narrow, narrow, ROW),
        conv('branch7x7_3', narrow, 192, COLUMN),
      ],
      [
        conv('branch7x7dbl_1', inputs, narrow),
        conv('branch7x7dbl_2', narrow, narrow, COLUMN),
        conv('branch7x7dbl_3', narrow, narrow, ROW),
        conv('branch7x7dbl_4', narrow, narrow, COLUMN),
        conv('branch7x7dbl_5', narrow, 192, ROW),
      ],
      [smoothingPool, conv('branch_pool', inputs, 192)],
    )
  }

  private mixed7a(name: string, inputs: number): MapLayer {
    const conv = (part: string, from: number, to: number, shape?: Shape) =>
      this.conv(`${name}.${part}`, from, to, shape)
    return parallel(
      [conv('branch3x3_1', inputs, 192), conv('branch3x3_2', 192, 320, HALVING)],
      [
        conv('branch7x7x3_1', inputs, 192),
        conv('branch7x7x3_2', 192, 192, ROW),
        conv('branch7x7x3_3', 192, 192, COLUMN),
        conv('branch7x7x3_4', 192, 192, HALVING),
      ],
      [halvingPool],
    )
  }

  private mixed7(name: string, inputs: number): MapLayer {
    const conv = (part: string, from: number, to: number, shape?: Shape) =>
      this.conv(`${name}.${part}`, from, to, shape)
    return parallel(
      [conv('branch1x1', inputs, 320)],
      [
        conv('branch3x3_1', inputs, 384),
        parallel([conv('branch3x3_2a', 384, 384, SHORT_ROW)], [conv('branch3x3_2b', 384, 384, SHORT_COLUMN)]),
      ],
      [
        conv('branch3x3dbl_1', inputs, 448),
        conv('branch3x3dbl_2', 448, 384, SQUARE),
        parallel([conv('branch3x3dbl_3a', 384, 384, SHORT_ROW)], [conv('branch3x3dbl_3b', 384, 384, SHORT_COLUMN)]),
      ],
      [smoothingPool, conv('branch_pool', inputs, 192)],
    )
  }

  /** `avgpool` (B, 1, 1, 2048). */
  features(images: tf.Tensor4D): { avgpool: tf.Tensor4D } {
    return { avgpool: chain(images, this.layers) }
  }
}
