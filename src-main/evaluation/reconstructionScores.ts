import { createHash } from 'node:crypto'
import * as tf from '@tensorflow/tfjs-core'
import { distinct } from '../base/distinct.ts'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import type { NdArray } from '../formats/array.ts'
import { partIdentity } from '../models/packParts.ts'
import { Random } from '../nn/random.ts'
import { readPicture, readTrial } from '../reconstruction/sets.ts'
import type { Kind, SetRecord } from '../reconstruction/sets.ts'
import { keptWithRun, readKept } from '../retrieval/heldOut.ts'
import type { TrialSimilarity } from '../retrieval/pools.ts'
import { openSubject } from '../subjects/subject.ts'
import type { Subject } from '../subjects/subject.ts'
import { METRIC_VERSION, metricIds, metrics } from './metrics.ts'
import type { MetricId } from './metrics.ts'
import { meanInterval } from './pairing.ts'
import type { PairingTest } from './pairing.ts'
import { scoreDirection } from './runScores.ts'
import type { TopScores } from './runScores.ts'
import { scoreReconstructions } from './scoreReconstructions.ts'
import type { NetworkPaths, Reconstructed } from './scoreReconstructions.ts'
import { mean } from './statistics.ts'
import type { Interval } from './statistics.ts'

/** A set of reconstructions whose pictures of one kind are scored. */
export interface ReconstructionsJob {
  runFolder: string
  subjectFolder: string
  set: SetRecord
  kind: Kind
  /** Of intervals and permutations. */
  seed: number
  networks: NetworkPaths
}

/** A metric over all reconstructions. */
export interface MetricScore {
  mean: number
  /** Bootstrap over distinct images. */
  ci95: Interval
  /** Reconstructions. */
  n: number
  /** What reconstructions paired with other images score. */
  chance: number
  /** Of the permutation test against that, one-sided. */
  p: number
  /** Of the metric's definition. */
  version: string
}

/** Scores by reconstruction, as kept with the run. */
export interface ReconstructionValues {
  /** Row of the trial table of each reconstruction, (N); of averaged repeats the first. */
  trial: Int32Array
  /** Correlations of pixels of every reconstruction with every image. */
  pixels: TrialSimilarity
  /** Stimulus of each image, (M). */
  pool: Int32Array
  metrics: Partial<Record<MetricId, { values: Float64Array; test: PairingTest }>>
}

/** The values of a set, computed once and kept with the run. */
export async function reconstructionValues(
  job: ReconstructionsJob,
  options: RunOptions,
): Promise<ReconstructionValues> {
  return fromArrays(await keptWithRun(job.runFolder, nameOf(job), () => compute(job, options)))
}

/** The same, if they were computed before; needs no TensorFlow. */
export function keptReconstructionValues(job: ReconstructionsJob): ReconstructionValues | undefined {
  const kept = readKept(job.runFolder, nameOf(job))
  return kept && fromArrays(kept)
}

/** What a set scores as a whole. */
export interface ReconstructionScores {
  metrics: Partial<Record<MetricId, MetricScore>>
  /** Top-k of the seen images by correlation of pixels with the reconstruction. */
  pixel: TopScores
  /** Reconstructions, and distinct images among which they are told apart. */
  trials: number
  images: number
}

/** Totals with their intervals; a `pool` smaller than the images is drawn 30 times, as for retrieval by embeddings. */
export function totalScores(
  { metrics: found, pixels }: ReconstructionValues,
  ks: readonly number[],
  seed: number,
  pool?: number,
): ReconstructionScores {
  const random = new Random(seed).split('interval')
  const scores = Object.entries(found).map(([id, { values, test }]) => {
    const score: MetricScore = {
      mean: mean(values),
      ci95: meanInterval(values, pixels.ownImage, random.split(id)),
      n: values.length,
      ...test,
      version: METRIC_VERSION,
    }
    return [id, score] as const
  })
  const drawn = pool !== undefined && pool < pixels.images ? pool : undefined
  return {
    metrics: Object.fromEntries(scores),
    pixel: scoreDirection(pixels, 'image', ks, seed, drawn),
    trials: pixels.trials,
    images: pixels.images,
  }
}

function nameOf({ set, kind, seed, networks }: ReconstructionsJob): string {
  const parts = Object.entries(networks).map(([part, path]) => [part, partIdentity(path)])
  const hash = createHash('sha256').update(JSON.stringify([METRIC_VERSION, set.trials, seed, parts]))
  return `reconstructions-${set.id}-${kind}-${hash.digest('hex').slice(0, 10)}`
}

async function compute(job: ReconstructionsJob, options: RunOptions): Promise<Record<string, NdArray>> {
  const { set, kind, seed, networks, subjectFolder } = job
  const subject = await openSubject(subjectFolder)
  try {
    const trial = Int32Array.from(set.trials)
    const seen = seenStimuli(set, subject)
    const pool = distinct(seen)
    if (pool.length < 2)
      throw new MindEyeError({
        kind: 'state',
        where: set.folder,
        expected: 'reconstructions of at least two images',
        found: `${pool.length}`,
        fix: 'Reconstruct more trials: metrics compare each reconstruction with other images.',
      })
    const column = new Map(Array.from(pool, (stimulus, i) => [stimulus, i]))
    const own = seen.map((stimulus) => column.get(stimulus)!)
    const pictures: Reconstructed = {
      images: { count: pool.length, read: (i) => seenPicture(subject, pool[i]) },
      recons: {
        count: trial.length,
        read(i) {
          const { height, width, data } = readPicture(set, trial[i], kind)
          return tf.tensor4d(data, [1, height, width, 3])
        },
      },
      own,
    }
    const found = await scoreReconstructions(pictures, networks, new Random(seed).split('reconstructions'), options)
    const numbers = (data: readonly number[] | Float64Array): NdArray => ({
      ...{ dtype: 'float64', shape: [data.length], data: Float64Array.from(data) },
    })
    return {
      trial: { dtype: 'int32', shape: [trial.length], data: trial },
      own: { dtype: 'int32', shape: [own.length], data: Int32Array.from(own) },
      pool: { dtype: 'int32', shape: [pool.length], data: Int32Array.from(pool) },
      pixels: { dtype: 'float32', shape: [trial.length, pool.length], data: Float32Array.from(found.pixels) },
      ...Object.fromEntries(
        Object.entries(found.metrics).flatMap(([id, { values, test }]) => [
          [`values/${id}`, numbers(values)],
          [`test/${id}`, numbers([test.chance, test.p])],
        ]),
      ),
    }
  } finally {
    subject.close()
  }
}

/** The stimulus that each reconstructed trial saw. Throws a state error where the set is of other data. */
function seenStimuli(set: SetRecord, subject: Subject): Int32Array {
  return Int32Array.from(set.trials, (trial) => {
    const stimulus = subject.trials.stimulus[trial]
    const { stimulus: id } = readTrial(set, trial)
    if (stimulus !== undefined && subject.stimuli.ids[stimulus] === id) return stimulus
    throw new MindEyeError({
      kind: 'state',
      where: set.folder,
      field: `trial ${trial}`,
      expected: `the image ${subject.stimuli.ids[stimulus] ?? 'of a trial that the subject has'}`,
      found: id,
      fix: 'The subject was imported anew since: train and reconstruct again.',
    })
  })
}

/** An image as it was seen, (1, H, W, 3) in [0, 1]; grey becomes three equal channels. */
function seenPicture(subject: Subject, stimulus: number): tf.Tensor4D {
  const { data, height, width, channels } = subject.readImages([stimulus])
  const pixels = Float32Array.from({ length: height * width * 3 }, (_, i) => {
    const at = channels === 3 ? i : Math.floor(i / 3)
    return data[at] / 255
  })
  return tf.tensor4d(pixels, [1, height, width, 3])
}

function fromArrays(kept: Map<string, NdArray>): ReconstructionValues {
  const data = <T>(label: string) => kept.get(label)!.data as T
  const [trials, images] = kept.get('pixels')!.shape
  const ids = metricIds.filter((id) => kept.has(`values/${id}`))
  const valuesOf = (id: MetricId) => {
    const [others, p] = data<Float64Array>(`test/${id}`)
    // Ties apart, whoever knows nothing identifies every second pair.
    const chance = metrics[id].kind === 'identification' ? 0.5 : others
    return { values: data<Float64Array>(`values/${id}`), test: { chance, p } }
  }
  return {
    trial: data('trial'),
    pixels: { trials, images, values: data('pixels'), ownImage: data('own') },
    pool: data('pool'),
    metrics: Object.fromEntries(ids.map((id) => [id, valuesOf(id)])),
  }
}
