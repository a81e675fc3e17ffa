import type { MetricNetworkKind } from './metricNetworks.ts'

/** Changes whenever a definition below does, so that scores of different definitions are never taken for comparable ones. */
export const METRIC_VERSION = 'mindeye-metrics-1'

/** The part of a pack, and the node in it, whose features a metric compares. */
export interface MetricFeatures {
  part: MetricNetworkKind
  node: string
  /** The node of the seen image, where that is another than the reconstruction's. */
  ofSeen?: string
}

export interface Metric {
  /** As the paper's table heads its column. */
  title: string
  /** What is measured, in a sentence. */
  meaning: string
  /** Of features: `identification` counts other images, `distance` is 1 − correlation, `naming` is 1 where they agree at all. */
  kind: 'pixels' | 'identification' | 'distance' | 'naming'
  better: 'higher' | 'lower'
  /** Of a network's features instead of pixels. */
  features?: MetricFeatures
  /** Of a network of the pack's own in place of the published ones: never to be compared with published scores. */
  isStandIn?: true
}

const twoWay = 'how often a reconstruction is more like its own image than like another one:'

/** The metrics of a set of reconstructions in the order of the paper's table (MindEye §4.2); pixels as features and the stand-ins are ours. */
export const metrics = {
  pixcorr: {
    title: 'PixCorr',
    meaning: 'Pearson’s correlation of all pixels and colours at 425 x 425',
    kind: 'pixels',
    better: 'higher',
  },
  ssim: {
    title: 'SSIM',
    meaning: 'structural similarity in grey at 425 x 425',
    kind: 'pixels',
    better: 'higher',
  },
  pixel: {
    title: 'Two-way pixels',
    meaning: `${twoWay} correlation of pixels`,
    kind: 'identification',
    better: 'higher',
  },
  alexnet2: {
    title: 'Alex(2)',
    meaning: `${twoWay} second layer of AlexNet`,
    kind: 'identification',
    better: 'higher',
    features: { part: 'alexnet', node: 'features.4' },
  },
  alexnet5: {
    title: 'Alex(5)',
    meaning: `${twoWay} fifth layer of AlexNet`,
    kind: 'identification',
    better: 'higher',
    features: { part: 'alexnet', node: 'features.11' },
  },
  inception: {
    title: 'Incep',
    meaning: `${twoWay} last pooling layer of Inception v3`,
    kind: 'identification',
    better: 'higher',
    features: { part: 'inception_v3', node: 'avgpool' },
  },
  clip: {
    title: 'CLIP',
    meaning: `${twoWay} embedding of CLIP ViT-L/14`,
    kind: 'identification',
    better: 'higher',
    features: { part: 'image_encoder', node: 'image_embeds' },
  },
  efficientnet: {
    title: 'Eff',
    meaning: 'correlation distance of EfficientNet-B1’s last pooling layer',
    kind: 'distance',
    better: 'lower',
    features: { part: 'efficientnet_b1', node: 'avgpool' },
  },
  swav: {
    title: 'SwAV',
    meaning: 'correlation distance of the last pooling layer of ResNet-50 trained by SwAV',
    kind: 'distance',
    better: 'lower',
    features: { part: 'swav', node: 'avgpool' },
  },
  object: {
    title: 'Stand-in object',
    meaning:
      'how often the object that the demo pack’s classifier names in the reconstruction is one that it finds in the image',
    kind: 'naming',
    better: 'higher',
    features: { part: 'classifier', node: 'likeliest', ofSeen: 'found' },
    isStandIn: true,
  },
  scene: {
    title: 'Stand-in two-way',
    meaning: `${twoWay} last layer of the demo pack’s classifier`,
    kind: 'identification',
    better: 'higher',
    features: { part: 'classifier', node: 'features' },
    isStandIn: true,
  },
  encoder: {
    title: 'Stand-in encoder',
    meaning: `${twoWay} embedding of the pack’s own image encoder, which is not CLIP ViT-L/14`,
    kind: 'identification',
    better: 'higher',
    features: { part: 'other_encoder', node: 'image_embeds' },
    isStandIn: true,
  },
} as const satisfies Record<string, Metric>

export type MetricId = keyof typeof metrics
export const metricIds = Object.keys(metrics) as MetricId[]
