import { Hono } from 'hono'
import type { Context } from 'hono'
import * as v from 'valibot'
import { finishedRun } from '../../actions/finishedRun.ts'
import type { ExperimentResult } from '../../actions/experiments/result.ts'
import { chooseSet } from '../../actions/reconstructed.ts'
import type { ChosenSet } from '../../actions/reconstructed.ts'
import { MindEyeError } from '../../base/errors.ts'
import { experiments } from '../../evaluation/experiments.ts'
import type { ExperimentName } from '../../evaluation/experiments.ts'
import type { MissingMetrics } from '../../evaluation/metricPack.ts'
import { METRIC_VERSION, metricIds, metrics } from '../../evaluation/metrics.ts'
import type { Metric, MetricId } from '../../evaluation/metrics.ts'
import { publishedTable } from '../../evaluation/published.ts'
import type { PublishedTable } from '../../evaluation/published.ts'
import { keptReconstructionValues } from '../../evaluation/reconstructionScores.ts'
import { kinds, listSets } from '../../reconstruction/sets.ts'
import type { Kind } from '../../reconstruction/sets.ts'
import type { JobRecord, RunRecord } from '../../workspace/index.ts'
import { queryOf, wholeNumber } from '../query.ts'
import type { Services } from '../services.ts'

/** What can be measured, and what was published. */
export interface EvaluationCatalogue {
  version: string
  metrics: (Metric & { id: MetricId })[]
  published: PublishedTable
  /** What can be rerun, with the claim that it is about. */
  experiments: { name: ExperimentName; claim: string }[]
}

/** An experiment that is at work, has ended or was stopped; done ones with what came out. */
export interface ExperimentJob extends Pick<JobRecord, 'id' | 'state' | 'created' | 'finished' | 'input' | 'error'> {
  result?: ExperimentResult
}

/** A set of reconstructions of a finished run. */
export interface ListedSet {
  run: string
  set: string
  /** ISO 8601. */
  created: string
  trials: number
  kinds: Kind[]
  /** Areas whose voxels were put to their mean. */
  without: string[]
}

/** Scores of one kind of a set, reconstruction by reconstruction. */
export interface KindValues {
  run: string
  set: string
  kind: Kind
  /** False where nobody has asked for its scores yet; then there are no values. */
  scored: boolean
  missing: MissingMetrics[]
  /** Row of the trial table of each reconstruction; of averaged repeats the first. */
  trial: number[]
  /** Stimulus that each saw. */
  stimulus: number[]
  values: Partial<Record<MetricId, number[]>>
}

/** The seed of `evaluate` unless it is told another. */
const SEED = '42'
const valuesQuery = v.object({ seed: v.optional(wholeNumber(), SEED) })

/** A kind from an address. */
function kindOf(text: string): Kind {
  const kind = kinds.find((one) => one === text)
  if (kind) return kind
  throw new MindEyeError({ kind: 'input', where: 'kind', expected: `one of ${kinds.join(', ')}`, found: text })
}

const experimentNames = Object.keys(experiments) as ExperimentName[]

const experimentJob = ({ id, state, created, finished, input, error, result }: JobRecord): ExperimentJob => ({
  ...{ id, state, created, finished, input, error },
  result: result as unknown as ExperimentResult | undefined,
})

/** Scores of reconstructions, as kept with their runs; whatever must be computed is an action's business. */
export const evaluationRoutes = ({ workspace }: Services) => {
  const noStore = { 'Cache-Control': 'no-store' }

  const listed = (run: RunRecord): ListedSet[] =>
    listSets(workspace.runs.folderOf(run.id)).map(({ id, created, trials, kinds, settings }) => ({
      ...{ run: run.id, set: id, created, trials: trials.length, kinds },
      without: (settings.without as string[] | undefined) ?? [],
    }))

  function asked(c: Context): { run: RunRecord; kind: Kind; chosen: ChosenSet } {
    const run = finishedRun(workspace, c.req.param('run')!)
    const kind = kindOf(c.req.param('kind')!)
    const { seed } = queryOf(c, valuesQuery)
    const chosen = chooseSet(workspace, run, { kind, set: c.req.param('set'), seed })
    if (typeof chosen === 'string')
      throw new MindEyeError({ kind: 'state', where: run.id, expected: 'reconstructions', found: chosen })
    return { run, kind, chosen }
  }

  return new Hono()
    .get('/catalogue', (c) =>
      c.json<EvaluationCatalogue>({
        version: METRIC_VERSION,
        metrics: metricIds.map((id) => ({ id, ...metrics[id] })),
        published: publishedTable,
        experiments: experimentNames.map((name) => ({ name, claim: experiments[name].claim })),
      }),
    )
    .get('/experiments', (c) => {
      const jobs = workspace.jobs.ofAction('experiment')
      return c.json<ExperimentJob[]>(jobs.map(experimentJob), 200, noStore)
    })
    .get('/sets', (c) => {
      const finished = workspace.runs.list().filter(({ state }) => state === 'done')
      return c.json<ListedSet[]>(finished.flatMap(listed), 200, noStore)
    })
    .get('/:run/:set/:kind', (c) => {
      const { run, kind, chosen } = asked(c)
      const kept = keptReconstructionValues(chosen.job)
      const values = Object.entries(kept?.metrics ?? {}).map(([id, { values }]) => [id, [...values]] as const)
      return c.json<KindValues>(
        {
          ...{ run: run.id, set: chosen.job.set.id, kind, scored: kept !== undefined, missing: chosen.missing },
          trial: kept ? [...kept.trial] : [],
          stimulus: kept ? Array.from(kept.pixels.ownImage, (image) => kept.pool[image]) : [],
          values: Object.fromEntries(values),
        },
        200,
        noStore,
      )
    })
}
