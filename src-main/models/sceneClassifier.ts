import * as tf from '@tensorflow/tfjs-core'
import * as v from 'valibot'
import { Conv2d } from '../nn/conv.ts'
import { GroupNorm, NormedConv2d } from '../nn/groupNorm.ts'
import { resize } from '../nn/image/resize.ts'
import { Linear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'
import { count, parseConfig } from './modelConfig.ts'

const schema = v.object({
  image_size: count,
  block_out_channels: v.pipe(v.array(count), v.minLength(1)),
  norm_num_groups: count,
  labels: v.pipe(v.array(v.string()), v.minLength(1)),
})

export interface SceneClassifierConfig {
  /** Side of the pictures, px. */
  side: number
  /** Channels of each convolution; every second one, from the first on, halves the map. */
  channels: readonly number[]
  groups: number
  /** Names of the kinds. */
  labels: readonly string[]
}

/** From the config.json of class `SceneClassifier`. `where` names the file in errors. */
export function sceneClassifierConfig(json: Record<string, unknown>, where: string): SceneClassifierConfig {
  const { image_size, block_out_channels, norm_num_groups, labels } = parseConfig(schema, json, where)
  return { side: image_size, channels: block_out_channels, groups: norm_num_groups, labels }
}

/** A small convolutional network that names the kinds of object in a scene, each by itself. On the tape where there is one. */
export class SceneClassifier {
  readonly config: SceneClassifierConfig
  private readonly first: Conv2d
  private readonly rest: readonly NormedConv2d[]
  private readonly norm: GroupNorm
  private readonly head: Linear

  constructor(parameters: Parameters, config: SceneClassifierConfig) {
    const { channels, groups, labels } = config
    const conv = (i: number, from: number) =>
      new Conv2d(parameters, `convs.${i}`, from, channels[i], { kernel: 3, padding: 1, stride: i % 2 ? 1 : 2 })
    const norm = (i: number) => new GroupNorm(parameters, `norms.${i}`, channels[i], { groups, activation: 'silu' })
    this.config = config
    this.first = conv(0, 3)
    this.rest = channels.slice(1).map((_, i) => new NormedConv2d(norm(i), conv(i + 1, channels[i])))
    this.norm = norm(channels.length - 1)
    this.head = new Linear(parameters, 'head', channels[channels.length - 1], labels.length)
  }

  /** Pictures (B, H, W, 3) in [0, 1], of any size → features (B, C): what the last layer reads. */
  features(images: tf.Tensor4D, anchor?: tf.Scalar): tf.Tensor2D {
    const { side } = this.config
    const sized = resize(images, [side, side], { mode: 'bilinear', antialias: true })
    let x: tf.Tensor = this.first.forward(tf.sub(tf.mul(sized, 2), 1), anchor)
    for (const layer of this.rest) x = layer.forward(x)
    return tf.mean(this.norm.forward(x), [1, 2])
  }

  /** Features (B, C) → a logit per label (B, K). */
  logits(features: tf.Tensor2D): tf.Tensor2D {
    return this.head.forward(features) as tf.Tensor2D
  }

  /** Pictures (B, H, W, 3) in [0, 1] → how likely each kind is in them, (B, K) in [0, 1]. */
  scores(images: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => tf.sigmoid(this.logits(this.features(images))))
  }
}
