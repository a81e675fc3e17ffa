import * as tf from '@tensorflow/tfjs-core'
import { ColumnsConv2d } from '../nn/columnsConv.ts'
import { Conv2d } from '../nn/conv.ts'
import { GroupNorm } from '../nn/groupNorm.ts'
import { Linear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'
import { computesOnGpu } from '../nn/raw.ts'
import { UpsampledConv2d, upsampleNearest } from '../nn/upsample.ts'
import { Transformer } from './unetTransformer.ts'
import type { KeysValues, TransformerConfig } from './unetTransformer.ts'

/** Halvings after which maps are small beside the weights: 64 x 64 latents have become 16 x 16. */
const SMALL_AFTER = 2

export type Convolution = Conv2d | ColumnsConv2d

/** A 3 x 3 convolution that leaves a map which has been halved so many times; padding 1. */
export function conv3(
  parameters: Parameters,
  name: string,
  [inputs, outputs]: readonly [number, number],
  halvings: number,
  stride = 1,
): Convolution {
  return halvings < SMALL_AFTER || computesOnGpu()
    ? new Conv2d(parameters, name, inputs, outputs, { kernel: 3, padding: 1, stride })
    : new ColumnsConv2d(parameters, name, inputs, outputs, stride)
}

/** A 3 x 3 convolution of a map with every pixel doubled, which it leaves halved so many times. */
export function upsampler(
  parameters: Parameters,
  name: string,
  channels: number,
  halvings: number,
): Pick<Convolution, 'compute'> {
  if (halvings < SMALL_AFTER || computesOnGpu()) return new UpsampledConv2d(parameters, name, channels, channels)
  const conv = conv3(parameters, name, [channels, channels], halvings)
  return { compute: (x: tf.Tensor4D) => tf.tidy(() => conv.compute(upsampleNearest(x))) }
}

export interface ResnetConfig {
  inputs: number
  outputs: number
  /** How many times the map has been halved. */
  halvings: number
  /** Width of the time embedding. */
  timeWidth: number
  groups: number
  eps: number
}

/** diffusers' ResnetBlock2D: two 3 x 3 convolutions with the time embedding added in between, beside a shortcut. */
export class ResnetBlock {
  private readonly norm1: GroupNorm
  private readonly conv1: Convolution
  private readonly time: Linear
  private readonly norm2: GroupNorm
  private readonly conv2: Convolution
  private readonly shortcut: Conv2d | undefined

  constructor(parameters: Parameters, name: string, config: ResnetConfig) {
    const { inputs, outputs, halvings, timeWidth, groups, eps } = config
    const conv = (layer: string, from: number) => conv3(parameters, `${name}.${layer}`, [from, outputs], halvings)
    const norm = (layer: string, channels: number) =>
      new GroupNorm(parameters, `${name}.${layer}`, channels, { groups, eps, activation: 'silu' })
    this.norm1 = norm('norm1', inputs)
    this.conv1 = conv('conv1', inputs)
    this.time = new Linear(parameters, `${name}.time_emb_proj`, timeWidth, outputs)
    this.norm2 = norm('norm2', outputs)
    this.conv2 = conv('conv2', outputs)
    if (inputs !== outputs)
      this.shortcut = new Conv2d(parameters, `${name}.conv_shortcut`, inputs, outputs, { kernel: 1 })
  }

  /** x (B, H, W, in), SiLU of the time embedding (B or 1, timeWidth) → (B, H, W, out). */
  compute(x: tf.Tensor4D, time: tf.Tensor2D): tf.Tensor4D {
    const h = tf.tidy(() => {
      const change = tf.expandDims(tf.expandDims(this.time.compute(time), 1), 1) // (B or 1, 1, 1, out)
      return tf.add(this.conv1.compute(this.norm1.compute(x) as tf.Tensor4D), change)
    })
    return tf.tidy(() => {
      const normed = this.norm2.compute(h) as tf.Tensor4D
      h.dispose()
      return tf.add(this.conv2.compute(normed), this.shortcut?.compute(x) ?? x) as tf.Tensor4D
    })
  }
}

/** What the layers of a stage share, beside their channels. */
export type StageConfig = Omit<ResnetConfig, 'inputs' | 'outputs'> & Omit<TransformerConfig, 'channels'>

/** A residual block with the transformer that follows it, if one does. */
export interface Layer {
  resnet: ResnetBlock
  transformer?: Transformer
}

/** The residual blocks NAME.resnets.0, … from and to the given channels, and the first `attentions` transformers after them. */
export function stage(
  parameters: Parameters,
  name: string,
  channels: readonly (readonly [inputs: number, outputs: number])[],
  attentions: number,
  config: StageConfig,
): Layer[] {
  return channels.map(([inputs, outputs], i) => ({
    resnet: new ResnetBlock(parameters, `${name}.resnets.${i}`, { ...config, inputs, outputs }),
    transformer:
      i < attentions
        ? new Transformer(parameters, `${name}.attentions.${i}`, { ...config, channels: outputs })
        : undefined,
  }))
}

/** One layer of a stage: (B, H, W, in) → (B, H, W, out). */
export function computeLayer(
  { resnet, transformer }: Layer,
  x: tf.Tensor4D,
  time: tf.Tensor2D,
  contexts: ReadonlyMap<Transformer, KeysValues>,
): tf.Tensor4D {
  const y = resnet.compute(x, time)
  if (!transformer) return y
  const attended = transformer.compute(y, contexts.get(transformer)!)
  y.dispose()
  return attended
}
