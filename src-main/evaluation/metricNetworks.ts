import * as tf from '@tensorflow/tfjs-core'
import { AlexNet } from '../models/alexNet.ts'
import { EfficientNetB1 } from '../models/efficientNet.ts'
import { loadFrozen } from '../models/frozenNetwork.ts'
import type { FeatureNetwork } from '../models/frozenNetwork.ts'
import { InceptionV3 } from '../models/inceptionV3.ts'
import type { PartName } from '../models/pack.ts'
import { loadClipVision, loadSceneClassifier } from '../models/pretrained.ts'
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
  /** Of images (B, H, W, 3) of any size, by node, (B, …). */
  features(images: tf.Tensor4D): Record<string, tf.Tensor>
  dispose(): void
}

export const IMAGENET_NORMALIZATION = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }

/** The convolutional networks behind the metrics, by part of a pack, with the side of the images that they get there. */
export const featureNetworks = {
  alexnet: { create: () => new AlexNet(), size: 256 },
  inception_v3: { create: () => new InceptionV3(), size: 342 },
  efficientnet_b1: { create: () => new EfficientNetB1(), size: 255 },
  swav: { create: () => new ResNet50(), size: 224 },
} satisfies Partial<Record<PartName, { create: () => FeatureNetwork; size: number }>>

/** The part of a pack with the network: a convolutional one, CLIP's image tower, or the demo pack's classifier; another tower stands in for CLIP's. */
export type MetricNetworkKind = keyof typeof featureNetworks | 'image_encoder' | 'other_encoder' | 'classifier'

/** Both sets of images have this size before any metric looks at them. */
export const COMMON_SIZE = 256

/** Images that go through a network at once. */
const BATCH = 16

export interface MetricNetwork {
  /**
   * Features of images (N, H, W, 3), clamped to [0, 1] first, of any size: by node (`features.4` and `features.11` of AlexNet,
   * `image_embeds` of a tower, `features`, `likeliest` and `found` of the classifier, else `avgpool`) one row per image, (N, F), of a map flattened with
   * its channels last. The caller disposes them.
   */
  extract(images: tf.Tensor4D): Record<string, tf.Tensor2D>
  dispose(): void
}

/**
 * Loads a metric's network from its published file: torchvision's `alexnet`, `inception_v3` and `efficientnet_b1` (IMAGENET1K_V2),
 * SwAV's ResNet-50, CLIP ViT-L/14 as transformers' folder or OpenAI's file; or the demo pack's classifier. Throws a format error that lists
 * what does not fit.
 */
export function loadMetricNetwork(kind: MetricNetworkKind, path: string): MetricNetwork {
  const network = load(kind, path)
  const rowsOf = (images: tf.Tensor4D, from: number): Record<string, tf.Tensor2D> =>
    tf.tidy(() => {
      const batch = tf.slice(images, [from, 0, 0, 0], [Math.min(BATCH, images.shape[0] - from), -1, -1, -1])
      const maps = Object.entries(network.features(batch))
      return Object.fromEntries(maps.map(([node, map]) => [node, tf.reshape(map, [map.shape[0], -1])]))
    })
  return {
    extract: (images) =>
      tf.tidy(() => {
        const batches = Array.from({ length: Math.ceil(images.shape[0] / BATCH) }, (_, i) => rowsOf(images, i * BATCH))
        const joined = (node: string) => batches.map((rows) => rows[node])
        return Object.fromEntries(Object.keys(batches[0]).map((node) => [node, tf.concat(joined(node), 0)]))
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

function load(kind: MetricNetworkKind, path: string): Loaded {
  if (kind === 'image_encoder' || kind === 'other_encoder') return loadClip(path)
  return kind === 'classifier' ? loadClassifier(path) : loadFeatures(kind, path)
}

function loadFeatures(kind: keyof typeof featureNetworks, path: string): Loaded {
  const { create, size } = featureNetworks[kind]
  const network = loadFrozen<FeatureNetwork>(path, create)
  return {
    features: (images) => network.features(preprocess(images, { size, ...IMAGENET_NORMALIZATION })),
    dispose: () => network.dispose(),
  }
}

function loadClip(path: string): Loaded {
  const { model, parameters } = loadClipVision(path)
  return {
    features: (images) => ({
      image_embeds: model.imageEmbed(preprocess(images, { size: model.config.image, ...CLIP_NORMALIZATION })),
    }),
    dispose: () => parameters.dispose(),
  }
}

/**
 * Labels as rows of ones and zeros: the likeliest one, and all that are found (likelier than not; the likeliest in any case). The first
 * correlates with the second positively where it is among them, else negatively.
 */
function loadClassifier(path: string): Loaded {
  const { model, parameters } = loadSceneClassifier(path)
  return {
    features(images) {
      const features = model.features(tf.clipByValue(images, 0, 1))
      const logits = model.logits(features)
      const [, labels] = logits.shape
      const likeliest = tf.oneHot(tf.argMax(logits, 1) as tf.Tensor1D, labels, 1, 0, 'float32')
      return { features, likeliest, found: tf.maximum(likeliest, tf.cast(tf.greater(logits, 0), 'float32')) }
    },
    dispose: () => parameters.dispose(),
  }
}
