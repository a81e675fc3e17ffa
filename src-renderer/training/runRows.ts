import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import type { JobRecord, RunRecord } from '../../src-main/workspace/index.ts'
import { changedOptions, configOf } from './compareRuns.ts'
import { valueText, type Values } from './options.ts'

/** A run as a row of the table. */
export interface RunRow {
  id: string
  run: RunRecord
  /** What was changed from its preset, in words. */
  changed: string
  /** Epochs done, as far as known, and all. */
  epochsDone?: number
  epochs?: number
  /** Of all its legs. */
  seconds?: number
  evaluation?: Evaluation
}

/** Rows of runs from their records and jobs; `now` in ms counts for those at work. */
export function runRows(
  runs: readonly RunRecord[],
  jobs: readonly JobRecord[],
  presetOf: (id: string) => Values,
  evaluationOf: (id: string) => Evaluation | undefined,
  now: number,
): RunRow[] {
  const legs = new Map<string, JobRecord[]>()
  for (const job of jobs) if (job.run) legs.set(job.run, [...(legs.get(job.run) ?? []), job])
  return runs.map((run): RunRow => {
    const own = legs.get(run.id) ?? []
    const { training } = configOf(run)
    const epochs = training && training.method !== 'ridge' ? training.epochs : undefined
    return {
      id: run.id,
      run,
      changed: changedOptions(run, presetOf(run.preset))
        .map(({ name, value }) => `${name} ${valueText(value)}`)
        .join(', '),
      epochs,
      epochsDone: run.state === 'done' ? epochs : epochOf(own),
      seconds: own.length ? timeOf(own, now) : (run.summary.seconds as number | undefined),
      evaluation: evaluationOf(run.id),
    }
  })
}

/** Epochs that the newest leg with a progress of training has finished. */
function epochOf(jobs: readonly JobRecord[]): number | undefined {
  const newest = jobs.toSorted((a, b) => b.id - a.id).find(({ progress }) => /^epoch \d+/.test(progress?.message ?? ''))
  return newest && Number(/\d+/.exec(newest.progress!.message!)![0]) - 1
}

const timeOf = (jobs: readonly JobRecord[], now: number): number =>
  jobs.reduce((sum, { started, finished }) => {
    if (!started) return sum
    return sum + ((finished ? Date.parse(finished) : now) - Date.parse(started)) / 1000
  }, 0)

/** Rows that hold every word of a query. */
export function searchRows(rows: readonly RunRow[], query: string): RunRow[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  return rows.filter(({ run, changed }) => {
    const text = [run.id, run.state, run.subject, run.preset, configOf(run).split, changed].join(' ').toLowerCase()
    return words.every((word) => text.includes(word))
  })
}
