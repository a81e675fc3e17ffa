import * as tf from '@tensorflow/tfjs-core'
import { Conv2d } from '../nn/conv.ts'
import { GroupNorm } from '../nn/groupNorm.ts'
import { Linear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'
import { Transformer } from './unetTransformer.ts'
import type { KeysValues, TransformerConfig } from './unetTransformer.ts'

export interface ResnetConfig {
  inputs: number
  outputs: number
  /** Width of the time embedding. */
  timeWidth: number
  groups: number
  eps: number
}

/** diffusers' ResnetBlock2D: two 3 x 3 convolutions with the time embedding added in between, beside a shortcut. */
export class ResnetBlock {
  private readonly norm1: GroupNorm
  private readonly conv1: Conv2d
  private readonly time: Linear
  private readonly norm2: GroupNorm
  private readonly conv2: Conv2d
  private readonly shortcut: Conv2d | undefined

  constructor(parameters: Parameters, name: string, { inputs, outputs, timeWidth, groups, eps }: ResnetConfig) {
    const conv = (layer: string, from: number, kernel: 1 | 3) =>
      new Conv2d(parameters, `${name}.${layer}`, from, outputs, { kernel, padding: (kernel - 1) / 2 })
    const norm = (layer: string, channels: number) =>
      new GroupNorm(parameters, `${name}.${layer}`, channels, { groups, eps, activation: 'silu' })
    this.norm1 = norm('norm1', inputs)
    this.conv1 = conv('conv1', inputs, 3)
    this.time = new Linear(parameters, `${name}.time_emb_proj`, timeWidth, outputs)
    this.norm2 = norm('norm2', outputs)
    this.conv2 = conv('conv2', outputs, 3)
    if (inputs !== outputs) this.shortcut = conv('conv_shortcut', inputs, 1)
  }

  /** x (B, H, W, in), SiLU of the time embedding (B or 1, timeWidth) → (B, H, W, out). */
  compute(x: tf.Tensor4D, time: tf.Tensor2D): tf.Tensor4D {
    const h = tf.tidy(() => {
      const change = tf.expandDims(tf.expandDims(this.time.compute(time), 1), 1) // (B or 1, 1, 1, out)
      return tf.add(this.conv1.compute(this.norm1.compute(x)), change)
    })
    return tf.tidy(() => {
      const normed = this.norm2.compute(h)
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
