import type { ExperimentResult, SeedScore } from '../../src-main/actions/experiments/result.ts'
import type { ExperimentJob } from '../../src-main/api/routes/evaluation.ts'
import type { ExperimentName } from '../../src-main/evaluation/experiments.ts'
import { counted } from '../shared/format.ts'

export type { ExperimentJob, ExperimentName, ExperimentResult, SeedScore }

/** What `experiment` was told, as its job keeps it. */
export interface ExperimentInput {
  name: ExperimentName
  subject?: string
  preset: string
  lowPreset: string
  seeds: number
  split?: string
  values?: string
  pack?: string
  trials?: number
  set?: string[]
  lowSet?: string[]
}

export const inputOf = (job: ExperimentJob): ExperimentInput => job.input as unknown as ExperimentInput

/** One question with all that was done about it: more seeds are no other question. */
export interface Asked {
  key: string
  input: ExperimentInput
  /** The newest job, whatever became of it. */
  last: ExperimentJob
  /** The newest one that is done. */
  done?: ExperimentJob & { result: ExperimentResult }
}

/** Experiments of a name about a subject, newest first; the ones without a subject are about all of them. */
export function askedAbout(jobs: readonly ExperimentJob[], name: ExperimentName, subject: string | undefined): Asked[] {
  const found = new Map<string, Asked>()
  for (const job of [...jobs].sort((a, b) => b.id - a.id)) {
    const input = inputOf(job)
    if (input.name !== name || (input.subject !== undefined && input.subject !== subject)) continue
    const { seeds: _, ...question } = input
    const key = JSON.stringify(Object.entries(question).sort(([a], [b]) => a.localeCompare(b)))
    const asked = found.get(key) ?? { key, input, last: job }
    if (job.result) asked.done ??= { ...job, result: job.result }
    found.set(key, asked)
  }
  return [...found.values()]
}

/** A question in few words: what it was told beside its name and subject. */
export function askedInWords({ input, done }: Asked): string {
  const { name, preset, set = [], lowSet = [], split, values, pack, trials, seeds } = input
  return [
    ...(name === 'embedding' ? [] : [[preset, ...set, ...lowSet].join(' ')]),
    split && `split ${split}`,
    values && `at ${values.replaceAll(',', ', ')}`,
    pack && `pack ${pack}`,
    trials && counted(trials, 'pattern'),
    counted(done?.result.seeds.length ?? seeds, 'seed'),
  ]
    .filter(Boolean)
    .join(', ')
}

/** A place of a curve in one of the measures. */
export interface CurvePoint {
  /** Position on the axis, and how it is called there. */
  x: number
  label: string
  score: SeedScore
  runs: string[]
}

export interface Curve {
  series: string
  points: CurvePoint[]
}

export function curvesOf({ axis, points }: ExperimentResult, measure: string): Curve[] {
  const names = [...new Set(points.map(({ series }) => series))]
  return names.map((series) => ({
    series,
    points: points
      .filter((point) => point.series === series)
      .map(({ x, runs, scores }) => ({ x, label: axis.labels?.[x] ?? `${x}`, score: scores[measure], runs })),
  }))
}

/** From the lowest to the highest of all seeds, intervals and what guessing scores, with a little room. */
export function reachOf(curves: readonly Curve[], chance: number): [number, number] {
  const all = curves.flatMap(({ points }) => points.flatMap(({ score }) => [...score.values, ...(score.ci95 ?? [])]))
  const [low, high] = [Math.min(chance, ...all), Math.max(chance, ...all)]
  const room = (high - low || 0.1) * 0.06
  return [low - room, high + room]
}

/** Heights moved down so far that each is at least `gap` below the one before, and up again where the last would leave the ground. */
export function movedApart(heights: readonly number[], gap: number, ground: number): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b])
  const moved = [...heights]
  order.slice(1).forEach((i, k) => (moved[i] = Math.max(moved[i], moved[order[k]] + gap)))
  const over = Math.max(0, Math.max(...moved) - ground)
  return moved.map((height) => height - over)
}
