import * as tf from '@tensorflow/tfjs-core'
import { formatError } from '../base/errors.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { activations } from '../nn/activations.ts'
import { Conv2d } from '../nn/conv.ts'
import { normalize } from '../nn/image/colour.ts'
import { LayerNorm, Linear } from '../nn/layers.ts'
import { byRows, flatten } from '../nn/tape.ts'
import { chain, FrozenNetwork, loadFrozen } from './frozenNetwork.ts'
import type { MapLayer } from './frozenNetwork.ts'

/** Sizes of the teacher; the published one has depths 3, 3, 27, 3, dims 256, 512, 1024, 2048 and a projector 512, 512, 512. */
export interface ConvNeXtConfig {
  /** Blocks of each stage. */
  depths: readonly number[]
  /** Channels of each stage. */
  dims: readonly number[]
  /** Widths after the projector's linear layers; the last one is the width of a token. */
  projector: readonly number[]
}

/** ε of the norms inside the backbone; the projector's have torch's default. */
const EPS = 1e-6

/** Pixels of the image on a side of one pixel of the first stage; every later stage halves the map. */
const STEM = 4

/** .228 as MindEye's training script has it, where others have .229. */
const NORMALIZATION = { mean: [0.485, 0.456, 0.406], std: [0.228, 0.224, 0.225] }

/**
 * The teacher of the low-level loss: ConvNeXt (arXiv 2201.03545) without layer scale as VICRegL trained it (arXiv 2210.01571), with the
 * projector of its local features (`ConvnextXL` in the official convnext.py, whose parameter names these are).
 */
export class ConvNeXt extends FrozenNetwork {
  protected readonly ignored = ['projector.', 'classifier.'] // of whole images
  readonly config: ConvNeXtConfig
  private readonly layers: readonly MapLayer[]
  private readonly norm: LayerNorm
  private readonly projector: readonly { compute(x: tf.Tensor): tf.Tensor }[]

  constructor(config: ConvNeXtConfig) {
    super()
    const { depths, dims, projector } = config
    this.config = config
    this.layers = dims.flatMap((width, stage) => [
      ...this.downsampling(stage, dims),
      ...Array.from({ length: depths[stage] }, (_, i) => this.block(`backbone.stages.${stage}.${i}`, width)),
    ])
    const last = dims[dims.length - 1]
    this.norm = this.layerNorm('backbone.norm', last)
    this.projector = projector.flatMap((width, i) => {
      const isLast = i === projector.length - 1
      const inputs = i === 0 ? last : projector[i - 1]
      const linear = new Linear(this.parameters, `maps_projector.${3 * i}`, inputs, width, { bias: !isLast })
      if (isLast) return [linear]
      const norm = new LayerNorm(this.parameters, `maps_projector.${3 * i + 1}`, width, 'relu')
      return [linear, { compute: (x) => norm.compute(x).value }]
    })
  }

  private layerNorm(name: string, width: number): LayerNorm {
    return new LayerNorm(this.parameters, name, width, 'none', { eps: EPS })
  }

  private downsampling(stage: number, dims: readonly number[]): MapLayer[] {
    const name = `backbone.downsample_layers.${stage}`
    const [inputs, side] = stage === 0 ? [3, STEM] : [dims[stage - 1], 2]
    const [convIndex, normIndex] = stage === 0 ? [0, 1] : [1, 0]
    const conv = new Conv2d(this.parameters, `${name}.${convIndex}`, inputs, dims[stage], {
      kernel: side,
      stride: side,
    })
    const norm = this.layerNorm(`${name}.${normIndex}`, stage === 0 ? dims[0] : inputs)
    const steps: MapLayer[] = [(x) => conv.compute(x), (x) => norm.compute(x).value as tf.Tensor4D]
    return stage === 0 ? steps : steps.reverse()
  }

  private block(name: string, width: number): MapLayer {
    const options = { kernel: 7, padding: 3, groups: width }
    const depthwise = new Conv2d(this.parameters, `${name}.dwconv`, width, width, options)
    const norm = this.layerNorm(`${name}.norm`, width)
    const up = new Linear(this.parameters, `${name}.pwconv1`, width, 4 * width)
    const down = new Linear(this.parameters, `${name}.pwconv2`, 4 * width, width)
    const mlp = (rows: tf.Tensor) =>
      down.compute(activations.gelu.of(up.compute(norm.compute(rows).value))) as tf.Tensor2D
    return (x) => {
      const mixed = depthwise.compute(x) // (B, H, W, D)
      const [y] = byRows([flatten(mixed), flatten(x)], (rows, residual) => [tf.add(residual, mlp(rows))])
      return tf.reshape(y, x.shape)
    }
  }

  /** Number and width of the tokens of a picture of `side` x `side`. */
  tokensOf(side: number): [places: number, width: number] {
    const { dims, projector } = this.config
    return [Math.floor(side / STEM / 2 ** (dims.length - 1)) ** 2, projector[projector.length - 1]]
  }

  /** Images (B, H, W, 3) in [0, 1] → (B, T, P), T = H/32 · W/32 places row by row, P the projector's width. */
  tokens(images: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const map = chain(normalize(images, NORMALIZATION), this.layers) // (B, H/32, W/32, D)
      const [batch, height, width, channels] = map.shape
      const places = tf.reshape(map, [batch, height * width, channels])
      return this.projector.reduce((x, layer) => layer.compute(x), this.norm.compute(places).value) as tf.Tensor3D
    })
  }
}

/** Sizes by the names and shapes of a state dict; throws a format error when it is none of a backbone with a projector of its maps. */
export function convNeXtConfig(arrays: readonly ArrayEntry[], where: string): ConvNeXtConfig {
  const rowsOf = (pattern: RegExp, axes: number): number[] =>
    arrays
      .filter(({ name, shape }) => pattern.test(name) && shape.length === axes)
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
      .map(({ shape }) => shape[0])
  const dims = rowsOf(/^backbone\.downsample_layers\.\d+\.\d+\.weight$/, 4)
  const projector = rowsOf(/^maps_projector\.\d+\.weight$/, 2)
  const depths = dims.map(
    (_, stage) =>
      arrays.filter(({ name }) => new RegExp(`^backbone\\.stages\\.${stage}\\.\\d+\\.norm\\.weight$`).test(name))
        .length,
  )
  if (!dims.length || !projector.length)
    throw formatError(
      where,
      'weights',
      'backbone.downsample_layers.… and maps_projector.… of a ConvNeXt',
      `${dims.length} downsampling layers and ${projector.length} layers of a projector`,
      "Take VICRegL's full checkpoint, convnext_xlarge_alpha0.75_fullckpt.pth; its file of the backbone alone lacks the projector.",
    )
  return { depths, dims, projector }
}

/** The teacher from VICRegL's full checkpoint. Throws a format error that lists what does not fit. */
export const loadConvNeXt = (path: string): ConvNeXt =>
  loadFrozen(path, (arrays, where) => new ConvNeXt(convNeXtConfig(arrays, where)))
