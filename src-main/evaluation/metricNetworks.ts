import * as tf from '@tensorflow/tfjs-core'
import { openWeights } from '../formats/weights.ts'
import { AlexNet } from '../models/alexNet.ts'
import { EfficientNetB1 } from '../models/efficientNet.ts'
import type { FeatureNetwork } from '../models/frozenNetwork.ts'
import { InceptionV3 } from '../models/inceptionV3.ts'
import { loadClipVision } from '../models/pretrained.ts'
import { ResNet50 } from '../models/resNet.ts'
import { CLIP_NORMALIZATION, normalize } from '../nn/image/colour.ts'
import { resize } from '../nn/image/resize.ts'

/** How a network wants its images: resized to `size` x `size`, then (x − mean) / std per channel. */
export interface Preprocessing {
  size: number
  mean: readonly number[]
  std: readonly number[]
}

interface Loaded {
  /** By node, (B, …). */
  features(images: tf.Tensor4D): Record<string, tf.Tensor>
  dispose(): void
}

const imageNet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }

/** The networks behind the high-level metrics with the inputs they get there (official Reconstruction_Metrics.py; no center crop). */
const kinds = {
  alexnet: { preprocessing: { size: 256, ...imageNet }, load: loader(() => new AlexNet()) },
  inceptionV3: { preprocessing: { size: 342, ...imageNet }, load: loader(() => new InceptionV3()) },
  clip: { preprocessing: { size: 224, ...CLIP_NORMALIZATION }, load: loadClip },
  efficientNetB1: { preprocessing: { size: 255, ...imageNet }, load: loader(() => new EfficientNetB1()) },
  swav: { preprocessing: { size: 224, ...imageNet }, load: loader(() => new ResNet50()) },
} satisfies Record<string, { preprocessing: Preprocessing; load: (path: string) => Loaded }>

export type MetricNetworkKind = keyof typeof kinds

/** Both sets of images have this size before any metric looks at them. */
export const COMMON_SIZE = 256

/** Images that go through a network at once. */
const BATCH = 16

export interface MetricNetwork {
  /**
   * Features of images (N, H, W, 3), clamped to [0, 1] first, of any size: by node (`features.4` and `features.11` of AlexNet,
   * `image_embeds` of CLIP, else `avgpool`) one row per image, (N, F), of a map flattened with its channels last. The caller disposes them.
   */
  extract(images: tf.Tensor4D): Record<string, tf.Tensor2D>
  dispose(): void
}

/**
 * Loads a metric's network from its published file: torchvision's `alexnet`, `inception_v3` and `efficientnet_b1` (IMAGENET1K_V2),
 * SwAV's ResNet-50, CLIP ViT-L/14 as transformers' folder or OpenAI's file. Throws a format error that lists what does not fit.
 */
export function loadMetricNetwork(kind: MetricNetworkKind, path: string): MetricNetwork {
  const { preprocessing, load } = kinds[kind]
  const network = load(path)
  const rowsOf = (images: tf.Tensor4D): Record<string, tf.Tensor2D> =>
    tf.tidy(() => {
      const maps = Object.entries(network.features(preprocess(images, preprocessing)))
      return Object.fromEntries(maps.map(([node, map]) => [node, tf.reshape(map, [map.shape[0], -1])]))
    })
  return {
    extract: (images) =>
      tf.tidy(() => {
        const parts: Record<string, tf.Tensor2D>[] = []
        for (let at = 0; at < images.shape[0]; at += BATCH)
          parts.push(
            tf.tidy(() => rowsOf(tf.slice(images, [at, 0, 0, 0], [Math.min(BATCH, images.shape[0] - at), -1, -1, -1]))),
          )
        return Object.fromEntries(
          Object.keys(parts[0]).map((node) => [
            node,
            tf.concat(
              parts.map((part) => part[node]),
              0,
            ),
          ]),
        )
      }),
    dispose: () => network.dispose(),
  }
}

/** Images (B, H, W, 3) of any size → (B, size, size, 3), clamped to [0, 1], by way of 256 x 256; bilinear without antialiasing. */
export function preprocess(images: tf.Tensor4D, { size, mean, std }: Preprocessing): tf.Tensor4D {
  return tf.tidy(() => {
    const common = resize(tf.clipByValue(images, 0, 1), [COMMON_SIZE, COMMON_SIZE], { mode: 'bilinear' })
    return normalize(resize(common, [size, size], { mode: 'bilinear' }), { mean, std })
  })
}

function loader(create: () => FeatureNetwork): (path: string) => Loaded {
  return (path) => {
    const file = openWeights(path)
    const network = create()
    try {
      network.load(file.arrays, path)
      return network
    } catch (error) {
      network.dispose()
      throw error
    } finally {
      file.close()
    }
  }
}

function loadClip(path: string): Loaded {
  const { model, parameters } = loadClipVision(path)
  return {
    features: (images) => ({ image_embeds: model.imageEmbed(images) }),
    dispose: () => parameters.dispose(),
  }
}
