import { distinct } from '../base/distinct.ts'
import { MindEyeError } from '../base/errors.ts'
import { Random } from '../nn/random.ts'
import { makeFolds } from '../subjects/splits.ts'
import type { Fold, Split } from '../subjects/splits.ts'
import type { Subject, TrialTable } from '../subjects/subject.ts'
import type { TrainingConfig } from './fields.ts'

/** Rows of examples: item i shows stimulus `stimulus[i]`; its repeat r is the trial `trial[i · repeats + r]`. */
export interface Items {
  count: number
  repeats: number
  trial: Int32Array
  stimulus: Int32Array
}

/** Repeats that an item of kind `stimulus` holds, as in the published dataset. */
const REPEATS = 3

/**
 * Trials as training examples: each its own item, or one item per stimulus with three repeats, where one trial is
 * repeated as [a, a, a] and two as [a, b, a].
 */
export function groupItems(trials: TrialTable, rows: Int32Array, kind: 'trial' | 'stimulus'): Items {
  if (kind === 'trial')
    return { count: rows.length, repeats: 1, trial: rows, stimulus: rows.map((row) => trials.stimulus[row]) }
  const byStimulus = new Map<number, number[]>()
  for (const row of rows) {
    const stimulus = trials.stimulus[row]
    byStimulus.set(stimulus, [...(byStimulus.get(stimulus) ?? []), row])
  }
  return {
    count: byStimulus.size,
    repeats: REPEATS,
    trial: Int32Array.from(
      [...byStimulus.values()].flatMap((own) => Array.from({ length: REPEATS }, (_, r) => own[r % own.length])),
    ),
    stimulus: Int32Array.from(byStimulus.keys()),
  }
}

/**
 * The folds of a split as a run trains on them: all of a fold's examples, or `samples` of them drawn by the seed, where fewer are always a part
 * of more. Throws an input error when the study cannot be split so, or a fold has too few examples.
 */
export function trainingFolds(
  trials: TrialTable,
  split: Split,
  seed: number,
  { items, samples }: Pick<TrainingConfig, 'items' | 'samples'>,
): Fold[] {
  const folds = makeFolds(trials, split, seed)
  if (!samples) return folds // runs of before there was the option have none
  return folds.map((fold, index) => {
    const exampleOf = (row: number) => (items === 'trial' ? row : trials.stimulus[row])
    const examples = distinct(fold.train.map(exampleOf))
    if (samples > examples.length)
      throw new MindEyeError({
        kind: 'input',
        where: `fold ${fold.name}`,
        expected: `${samples} training examples, as --set samples=${samples} asks for`,
        found: `${examples.length}`,
        fix: 'Ask for fewer, or for 0, which uses all.',
      })
    const order = new Random(seed).split('samples', index).permutation(examples.length)
    const chosen = new Set(order.slice(0, samples).map((i) => examples[i]))
    return { ...fold, train: fold.train.filter((row) => chosen.has(exampleOf(row))) }
  })
}

/** Mean and 1 / SD of every voxel, (V), for all trials or per session; fitted on training trials only. */
export interface VoxelScaling {
  sessions: { session: number | undefined; mean: Float32Array; inverse: Float32Array }[]
}

/** Trials read at a time, so that a big study is never in memory twice. */
const BLOCK = 512

/** Fits the z-scoring of `rows` (training trials). A voxel that never changes is scaled by 0: it carries nothing. */
export function fitScaling(subject: Subject, rows: Int32Array, mode: 'train' | 'session' | 'none'): VoxelScaling {
  const { voxelCount } = subject.manifest
  const fit = (session: number | undefined): VoxelScaling['sessions'][number] => {
    const own = session === undefined ? rows : rows.filter((row) => subject.trials.session[row] === session)
    const [sum, squares, seen] = [0, 0, 0].map(() => new Float64Array(voxelCount))
    for (let at = 0; at < own.length; at += BLOCK) {
      const block = subject.readVoxels(own.subarray(at, at + BLOCK))
      for (let i = 0; i < block.length; i++) {
        if (!Number.isFinite(block[i])) continue
        sum[i % voxelCount] += block[i]
        squares[i % voxelCount] += block[i] ** 2
        seen[i % voxelCount]++
      }
    }
    const mean = Float32Array.from(sum, (s, v) => (seen[v] ? s / seen[v] : 0))
    const inverse = Float32Array.from(squares, (q, v) => {
      const variance = seen[v] ? q / seen[v] - (sum[v] / seen[v]) ** 2 : 0
      // What rounding leaves of a constant voxel's variance is no signal.
      return variance > 1e-10 * (q / (seen[v] || 1)) ? 1 / Math.sqrt(variance) : 0
    })
    return { session, mean, inverse }
  }
  if (mode === 'none') {
    const [mean, inverse] = [new Float32Array(voxelCount), new Float32Array(voxelCount).fill(1)]
    return { sessions: [{ session: undefined, mean, inverse }] }
  }
  const sessions =
    mode === 'session' ? [...new Set(rows.map((row) => subject.trials.session[row]))].sort((a, b) => a - b) : []
  // The last entry serves trials of a session that training never saw, and trials of no known session.
  return { sessions: [...sessions.map(fit), fit(undefined)] }
}

/** z-scores rows (n, V) in place; `session` of each row, -1 unknown. Values that are not finite become 0, the mean. */
export function applyScaling(scaling: VoxelScaling, voxels: Float32Array, session: ArrayLike<number>): Float32Array {
  const general = scaling.sessions.at(-1)!
  const width = general.mean.length
  for (let row = 0; row * width < voxels.length; row++) {
    const { mean, inverse } = scaling.sessions.find((s) => s.session === session[row]) ?? general
    for (let v = 0, at = row * width; v < width; v++, at++) {
      const z = (voxels[at] - mean[v]) * inverse[v]
      voxels[at] = Number.isFinite(z) ? z : 0
    }
  }
  return voxels
}

/** z-scored voxels of the given trials, (rows.length, V). */
export const scaledVoxels = (subject: Subject, scaling: VoxelScaling, rows: Int32Array): Float32Array =>
  applyScaling(
    scaling,
    subject.readVoxels(rows),
    rows.map((row) => subject.trials.session[row]),
  )

/** z-scored voxels of each item averaged over its repeats, (items.count, V); what a decoder is tested on. */
export function averagedVoxels(subject: Subject, scaling: VoxelScaling, items: Items): Float32Array {
  const { voxelCount } = subject.manifest
  const out = new Float32Array(items.count * voxelCount)
  for (let i = 0; i < items.count; i++) {
    const voxels = scaledVoxels(subject, scaling, items.trial.slice(i * items.repeats, (i + 1) * items.repeats))
    for (let at = 0; at < voxels.length; at++) out[i * voxelCount + (at % voxelCount)] += voxels[at] / items.repeats
  }
  return out
}

/** Groups between which ridge regression chooses its penalties. */
const RIDGE_GROUPS = 5

/** Each stimulus in one of a few groups, drawn by seed; where there is only one stimulus, each item. */
export function ridgeGroups(items: Items, random: Random): Int32Array {
  const stimuli = distinct(items.stimulus)
  const units = stimuli.length > 1 ? items.stimulus : Int32Array.from({ length: items.count }, (_, item) => item)
  return drawGroups(units, RIDGE_GROUPS, random.split('ridge groups'))
}

/** Each distinct value in one of `count` groups of about equal size, drawn by seed; the group of every entry. */
export function drawGroups(values: Int32Array, count: number, random: Random): Int32Array {
  const units = distinct(values)
  const order = random.permutation(units.length)
  const groupOf = new Map([...units].map((unit, i) => [unit, order[i] % count]))
  return values.map((value) => groupOf.get(value)!)
}

/** Refuses a fold that cannot teach or test anything. */
export function checkItems(items: Items, fold: string): void {
  if (items.count >= 2) return
  throw new MindEyeError({
    kind: 'input',
    where: `fold ${fold}`,
    expected: 'at least 2 training examples',
    found: `${items.count}`,
    fix: 'Choose another split, or --set items=trial.',
  })
}
