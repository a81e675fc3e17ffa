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
import { METRIC_VERSION, metricIds } from './metrics.ts'
import type { MetricId } from './metrics.ts'
import { meanInterval } from './pairing.ts'
import type { PairingTest } from './pairing.ts'
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

/** Everything known of the scores of a set, by reconstruction and in total. */
export interface ReconstructionScores {
  /** Row of the trial table of each reconstruction, (N); of averaged repeats the first. */
  trial: Int32Array
  /** Correlations of pixels of every reconstruction with every image, and which images these are. */
  pixels: TrialSimilarity
  /** Stimulus of each image, (M). */
  pool: Int32Array
  values: Partial<Record<MetricId, Float64Array>>
  scores: Partial<Record<MetricId, MetricScore>>
}

/** The scores of a set, computed once and kept with the run. */
export async function reconstructionScores(
  job: ReconstructionsJob,
  options: RunOptions,
): Promise<ReconstructionScores> {
  const kept = await keptWithRun(job.runFolder, nameOf(job), () => compute(job, options))
  return fromArrays(kept, job.seed)
}

/** The same, if they were computed before; needs no TensorFlow. */
export function keptReconstructionScores(job: ReconstructionsJob): ReconstructionScores | undefined {
  const kept = readKept(job.runFolder, nameOf(job))
  return kept && fromArrays(kept, job.seed)
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

function fromArrays(kept: Map<string, NdArray>, seed: number): ReconstructionScores {
  const data = <T>(label: string) => kept.get(label)!.data as T
  const own = data<Int32Array>('own')
  const [trials, images] = kept.get('pixels')!.shape
  const ids = metricIds.filter((id) => kept.has(`values/${id}`))
  const random = new Random(seed).split('interval')
  const scoreOf = (id: MetricId): MetricScore => {
    const values = data<Float64Array>(`values/${id}`)
    const [chance, p] = data<Float64Array>(`test/${id}`)
    return {
      mean: mean(values),
      ci95: meanInterval(values, own, random.split(id)),
      n: values.length,
      ...({ chance, p } satisfies PairingTest),
      version: METRIC_VERSION,
    }
  }
  return {
    trial: data('trial'),
    pixels: { trials, images, values: data('pixels'), ownImage: own },
    pool: data('pool'),
    values: Object.fromEntries(ids.map((id) => [id, data<Float64Array>(`values/${id}`)])),
    scores: Object.fromEntries(ids.map((id) => [id, scoreOf(id)])),
  }
}
