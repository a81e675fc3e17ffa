import * as tf from '@tensorflow/tfjs-core'
import { dropout, LayerNorm, Linear, NormedLinear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'

/** Sizes of voxel2clip; the published model is V → 4096, 4 blocks, 257 x 768, projector 2048. */
export interface BrainNetworkConfig {
  voxels: number
  hidden: number
  blocks: number
  tokens: number
  width: number
  /** Hidden width of the projector; 0 leaves the projector out. */
  projectorHidden: number
  /** Dropout after the first layer and inside the blocks. */
  dropout: readonly [first: number, blocks: number]
}

/**
 * voxel2clip: an MLP with residual blocks, one very big linear layer to all tokens, and a projector for the contrastive
 * loss (MindEye §3.2; `BrainNetwork` in the official models.py, whose parameter names these are).
 */
export class BrainNetwork {
  readonly config: BrainNetworkConfig
  private readonly lin0: NormedLinear
  private readonly mlp: readonly NormedLinear[]
  private readonly lin1: Linear
  private readonly projector: readonly { forward(x: tf.Tensor): tf.Tensor }[]

  /** `prefix` stands before every name, as in a checkpoint that holds more than this network. */
  constructor(parameters: Parameters, config: BrainNetworkConfig, prefix = '') {
    const { voxels, hidden, blocks, tokens, width, projectorHidden } = config
    const linear = (name: string, from: number, to: number) => new Linear(parameters, `${prefix}${name}`, from, to)
    const norm = (name: string, size: number) => new LayerNorm(parameters, `${prefix}${name}`, size, 'gelu')
    const normed = (first: string, second: string, from: number, to: number) =>
      new NormedLinear(linear(first, from, to), norm(second, to))
    this.config = config
    this.lin0 = normed('lin0.0', 'lin0.1', voxels, hidden)
    this.mlp = Array.from({ length: blocks }, (_, i) => normed(`mlp.${i}.0`, `mlp.${i}.1`, hidden, hidden))
    this.lin1 = linear('lin1', hidden, tokens * width)
    this.projector = projectorHidden
      ? [
          norm('projector.0', width),
          normed('projector.2', 'projector.3', width, projectorHidden),
          normed('projector.5', 'projector.6', projectorHidden, projectorHidden),
          linear('projector.8', projectorHidden, width),
        ]
      : []
  }

  /**
   * x (B, V) → `backbone` (B, T·D), which conditions the prior, and `projected` (B, T, D) for contrast and retrieval
   * (absent without a projector). Training passes `anchor`, the scalar to differentiate by, and the stream of dropout (none: no dropout).
   */
  forward(
    x: tf.Tensor2D,
    training?: { anchor: tf.Scalar; random?: Random },
  ): { backbone: tf.Tensor2D; projected?: tf.Tensor3D } {
    const { tokens, width } = this.config
    const [p0, p1] = this.config.dropout
    const stream = (layer: string) => training?.random?.split(layer)
    let r = dropout(this.lin0.forward(x, training?.anchor), p0, stream('lin0')) // (B, h)
    for (const [i, block] of this.mlp.entries()) r = tf.add(dropout(block.forward(r), p1, stream(`mlp.${i}`)), r)
    const backbone = this.lin1.forward(r) as tf.Tensor2D // (B, T·D)
    if (!this.projector.length) return { backbone }
    let projected: tf.Tensor = tf.reshape(backbone, [-1, tokens, width])
    for (const layer of this.projector) projected = layer.forward(projected)
    return { backbone, projected: projected as tf.Tensor3D } // (B, T, D)
  }
}
