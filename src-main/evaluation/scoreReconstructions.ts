import * as tf from '@tensorflow/tfjs-core'
import type { RunOptions } from '../base/progress.ts'
import type { Random } from '../nn/random.ts'
import { correlationsOf, pearson } from './correlation.ts'
import type { FeatureRows } from './correlation.ts'
import { pairWins } from './identification.ts'
import { loadMetricNetwork } from './metricNetworks.ts'
import type { MetricNetworkKind } from './metricNetworks.ts'
import { metricIds, metrics } from './metrics.ts'
import type { Metric, MetricId } from './metrics.ts'
import { exchangeBlocks, pairingTest } from './pairing.ts'
import type { PairingTest, PairValue } from './pairing.ts'
import { comparablePixels, greyMoments, structuralSimilarity } from './pixelMetrics.ts'

/** Pictures that can be read in any order. */
export interface PictureSet {
  count: number
  /** (1, H, W, 3) in [0, 1], all of one size; the caller disposes it. */
  read(i: number): tf.Tensor4D | Promise<tf.Tensor4D>
}

/** Distinct images and reconstructions of them. */
export interface Reconstructed {
  images: PictureSet
  recons: PictureSet
  /** The image of each reconstruction, (N). */
  own: Int32Array
}

export interface ScoredReconstructions {
  /** Of each metric that could be computed, a value per reconstruction, (N), and the test against other images. */
  metrics: Partial<Record<MetricId, { values: Float64Array; test: PairingTest }>>
  /** Correlations of pixels of every reconstruction with every image, (N, M). */
  pixels: Float32Array
}

/** Where the networks of the metrics lie; those that are absent leave their metrics out. */
export type NetworkPaths = Partial<Record<MetricNetworkKind, string>>

/**
 * The metrics of MindEye §4.2, image by image, with their permutation test. Memory stays within a few blocks of pictures and one network's
 * features. `random` draws the exchanges of the test.
 */
export async function scoreReconstructions(
  set: Reconstructed,
  networks: NetworkPaths,
  random: Random,
  options: RunOptions,
): Promise<ScoredReconstructions> {
  const { images, recons, own } = set
  const n = recons.count
  const blocks = exchangeBlocks(images.count, random.split('blocks'))
  const found: ScoredReconstructions['metrics'] = {}
  /** Keeps a metric's values, which lie where each reconstruction is paired with its own image. */
  const keep = (id: MetricId, value: PairValue): void => {
    const values = Float64Array.from(own, (image, recon) => value(image, recon))
    found[id] = { values, test: pairingTest(value, own, blocks, metrics[id].better, random.split('exchange')) }
  }

  const { r, pixcorr } = await comparePixels(set, options)
  keep('pixcorr', (image, recon) => (image === own[recon] ? pixcorr[recon] : r[image * n + recon]))
  keep('pixel', winShare(r, n, images.count))
  const ssim = await compareStructure(set, blocks, options)
  keep('ssim', (image, recon) => ssim.get(image * n + recon)!)

  for (const [part, path] of Object.entries(networks) as [MetricNetworkKind, string][]) {
    const wanted = metricIds.filter((id) => (metrics[id] as Metric).features?.part === part)
    const features = await compareFeatures(set, part, path, wanted, options)
    for (const id of wanted) {
      const r = features[id]!
      keep(id, pairValues[metrics[id].kind as FeatureKind](r, n, images.count))
    }
  }
  const pixels = Float32Array.from({ length: r.length }, (_, at) => {
    const [recon, image] = [Math.floor(at / images.count), at % images.count]
    return r[image * n + recon]
  })
  return { metrics: found, pixels }
}

/** Two-way identification of a pair, from correlations (M, N) of images with reconstructions. */
function winShare(r: Float64Array, n: number, images: number): PairValue {
  const wins = pairWins(r, n)
  return (image, recon) => wins[image * n + recon] / (images - 1)
}

type FeatureKind = Exclude<Metric['kind'], 'pixels'>

/** By kind of metric the value of a pair, from correlations (M, N) of features of M images with those of N reconstructions. */
const pairValues: Record<FeatureKind, (r: Float64Array, n: number, images: number) => PairValue> = {
  identification: winShare,
  distance: (r, n) => (image, recon) => 1 - r[image * n + recon],
  naming: (r, n) => (image, recon) => Number(r[image * n + recon] > 0),
}

/** Tells how far it is and lets an abort come through. */
const pauser =
  (phase: string, { signal, progress }: RunOptions) =>
  async (done: number, total: number) => {
    progress({ phase, done, total })
    await new Promise(setImmediate)
    signal.throwIfAborted()
  }

/** Correlations of pixels of all pairs, (M, N), and of each reconstruction with its own image in double precision, (N). */
async function comparePixels({ images, recons, own }: Reconstructed, options: RunOptions) {
  const pause = pauser('compare pixels', options)
  const rows = (set: PictureSet): FeatureRows => ({
    count: set.count,
    async read(from, to) {
      const pixels: Float32Array[] = []
      for (let i = from; i < to; i++) pixels.push(comparablePixels(await set.read(i)))
      return stacked(pixels)
    },
  })
  const r = await correlationsOf(rows(images), rows(recons), pause)
  const pixcorr = new Float64Array(own.length)
  for (let recon = 0; recon < own.length; recon++) {
    await pause(recon, own.length)
    pixcorr[recon] = pearson(
      comparablePixels(await images.read(own[recon])),
      comparablePixels(await recons.read(recon)),
    )
  }
  return { r, pixcorr }
}

/** Structural similarity of the pairs within blocks, by image · N + reconstruction. */
async function compareStructure(
  { images, recons, own }: Reconstructed,
  blocks: readonly Int32Array[],
  options: RunOptions,
): Promise<Map<number, number>> {
  const pause = pauser('compare structure', options)
  const similarity = new Map<number, number>()
  let done = 0
  for (const block of blocks) {
    const seen = new Map<number, ReturnType<typeof greyMoments>>()
    for (const image of block) seen.set(image, greyMoments(comparablePixels(await images.read(image))))
    for (let recon = 0; recon < own.length; recon++) {
      if (!seen.has(own[recon])) continue
      const picture = greyMoments(comparablePixels(await recons.read(recon)))
      for (const [image, moments] of seen)
        similarity.set(image * own.length + recon, structuralSimilarity(moments, picture))
      await pause(++done, own.length)
    }
  }
  return similarity
}

/** Pictures that go through a network at once. */
const BATCH = 16

/** Correlations of a network's features of all pairs, (M, N), for each of the metrics. */
async function compareFeatures(
  { images, recons }: Reconstructed,
  part: MetricNetworkKind,
  path: string,
  wanted: readonly MetricId[],
  options: RunOptions,
): Promise<Partial<Record<MetricId, Float64Array>>> {
  const network = loadMetricNetwork(part, path)
  const pause = pauser(`compare features of ${part}`, options)
  const total = images.count + recons.count
  const extract = async (set: PictureSet, before: number): Promise<Record<string, Float32Array[]>> => {
    const rows: Record<string, Float32Array[]> = {}
    for (let from = 0; from < set.count; from += BATCH) {
      await pause(before + from, total)
      const batch: tf.Tensor4D[] = []
      for (let i = from; i < Math.min(set.count, from + BATCH); i++) batch.push(await set.read(i))
      const features = tf.tidy(() => network.extract(tf.concat(batch)))
      for (const [node, maps] of Object.entries(features)) {
        const [numbers, width] = [maps.dataSync<'float32'>(), maps.shape[1]]
        for (let at = 0; at < numbers.length; at += width) (rows[node] ??= []).push(numbers.slice(at, at + width))
      }
      tf.dispose([features, batch])
    }
    return rows
  }
  try {
    const [seen, made] = [await extract(images, 0), await extract(recons, images.count)]
    const correlated: Partial<Record<MetricId, Float64Array>> = {}
    for (const id of wanted) {
      const { node, ofSeen = node } = (metrics[id] as Metric).features!
      correlated[id] = await correlationsOf(featureRows(seen[ofSeen]), featureRows(made[node]), pause)
    }
    return correlated
  } finally {
    network.dispose()
  }
}

const featureRows = (rows: readonly Float32Array[]): FeatureRows => ({
  count: rows.length,
  read: (from, to) => Promise.resolve(stacked(rows.slice(from, to))),
})

const stacked = (rows: readonly Float32Array[]): tf.Tensor2D =>
  tf.tidy(() => tf.concat(rows.map((row) => tf.tensor2d(row, [1, row.length]))))
