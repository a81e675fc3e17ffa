import * as v from 'valibot'
import type { MissingMetrics } from '../evaluation/metricPack.ts'
import { metrics } from '../evaluation/metrics.ts'
import type { Metric, MetricId } from '../evaluation/metrics.ts'
import type { MetricScore, ReconstructionScores } from '../evaluation/reconstructionScores.ts'
import { POOL_DRAWS } from '../evaluation/runScores.ts'
import type { TopScores } from '../evaluation/runScores.ts'
import { kinds } from '../reconstruction/sets.ts'
import type { Kind } from '../reconstruction/sets.ts'
import { directions } from '../retrieval/pools.ts'
import type { Direction } from '../retrieval/pools.ts'
import { ownRepeats } from '../retrieval/repeats.ts'
import type { Repeats } from '../retrieval/repeats.ts'
import { defineAction } from './action.ts'
import { finishedRun } from './finishedRun.ts'
import { chooseSet, metricPackField, repeatsOf, scoreSet, setField } from './reconstructed.ts'
import { repeatsField, runPlace } from './runPlace.ts'
import { formatTable } from './table.ts'
import { runConfig } from './train.ts'

/** What is asked, for people. */
export const questions: Record<Direction, string> = {
  image: 'given the brain, find the image',
  brain: 'given the image, find the brain pattern',
}

/** Metrics by the group of the result that they stand in. */
const groupOf = ({ kind, isStandIn }: Metric) => (isStandIn ? 'standIn' : kind)
type Grouped<G extends ReturnType<typeof groupOf>> = {
  [M in MetricId as GroupOf<(typeof metrics)[M]> extends G ? M : never]?: MetricScore
}
type GroupOf<M extends Metric> = M extends { isStandIn: true } ? 'standIn' : M['kind']

/** Scores of reconstructions, as the paper groups them; a metric without its network is absent and in `missing`. */
export interface ReconstructionEvaluation {
  kind: Kind
  set: string
  /** Reconstructions, and distinct images among which they are told apart. */
  reconstructions: number
  images: number
  pixcorr: MetricScore
  ssim: MetricScore
  twoway: Grouped<'identification'>
  distance: Grouped<'distance'>
  /** By networks of the pack's own, in place of the published ones. */
  standIn: Grouped<'standIn'>
  missing: MissingMetrics[]
}

export interface Evaluation extends Partial<ReconstructionEvaluation> {
  run: string
  split: string
  /** Scored brain patterns and distinct images among which they are told apart. */
  trials: number
  pool: number
  /** Of held-out patterns, from which the pictures were made, too. */
  repeats: Repeats
  seed: number
  /** By embeddings in both directions; of reconstructions the images nearest in pixels. */
  retrieval: Record<Direction, TopScores> & { pixel?: TopScores }
  /** Why there are no scores of reconstructions. */
  note?: string
}

export const evaluateAction = defineAction({
  name: 'evaluate',
  summary: 'Score a run on its held-out trials, with 95 % intervals beside chance.',
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    run: v.pipe(v.string(), v.description('id of the run')),
    kind: v.optional(
      v.pipe(
        v.picklist([...kinds, 'none']),
        v.description('which reconstructions to score, where there are some; none: retrieval alone'),
      ),
      'combined',
    ),
    set: setField,
    pack: metricPackField,
    top: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[1-9]\d*(,[1-9]\d*)*$/, 'whole numbers, e.g. 1,3'),
        v.description('within how many of the best the right one must be, e.g. 1,3'),
      ),
      '1,3',
    ),
    pool: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(2),
        v.description(`distinct images per pool, averaged over ${POOL_DRAWS} seeded pools (default: all test images)`),
      ),
    ),
    seed: v.optional(v.pipe(v.number(), v.integer(), v.description('of pools, intervals and permutations')), 42),
    repeats: repeatsField,
  }),
  async run(ctx, input, options): Promise<Evaluation> {
    const { signal } = options
    const workspace = await ctx.workspace(input.workspace)
    const run = finishedRun(workspace, input.run)
    const { kind, seed, pool } = input
    const ks = input.top.split(',').map(Number)
    const chosen = kind === 'none' ? undefined : chooseSet(workspace, run, { ...input, kind })
    const repeats = input.repeats ?? (typeof chosen === 'object' ? repeatsOf(chosen.job.set) : undefined)
    const job = { ...runPlace(workspace, run), repeats, ks, drawSeed: seed, pool }
    const { trials, images, scores } = await ctx.engine().call('scores', job, { signal })
    const { training, split } = runConfig(run)
    const evaluation: Evaluation = {
      ...{ run: run.id, split, trials, pool: pool ?? images, repeats: repeats ?? ownRepeats(training), seed },
      retrieval: scores,
    }
    if (chosen === undefined) return evaluation
    if (typeof chosen === 'string') return { ...evaluation, note: chosen }
    await scoreSet(ctx, chosen, options)
    const total = await ctx.engine().call('reconstructionScores', { ...chosen.job, ks, pool }, { signal })
    return {
      ...evaluation,
      ...{ kind: chosen.job.kind, set: chosen.job.set.id, reconstructions: total.trials, images: total.images },
      retrieval: { ...scores, pixel: total.pixel },
      ...grouped(total.metrics),
      missing: chosen.missing,
    }
  },
  format: (result) => {
    const rows = directions.flatMap((direction) => topRows(questions[direction], result.retrieval[direction]))
    const { pixel } = result.retrieval
    return [
      `${result.run} · split ${result.split} · ${result.trials} held-out patterns · pool of ${result.pool} distinct images`,
      '',
      formatTable(
        ['RETRIEVAL', 'WITHIN', 'SCORE', '95 % INTERVAL', 'CHANCE', 'N'],
        [...rows, ...(pixel ? topRows('given the reconstruction, find the image by its pixels', pixel) : [])],
      ),
      '',
      ...describeReconstructions(result),
    ].join('\n')
  },
})

const topRows = (question: string, scores: TopScores): string[][] =>
  Object.entries(scores).map(([top, { mean, ci95, n, chance }]) => [
    question,
    top.replace('top', 'top-'),
    percent(mean),
    interval(ci95),
    percent(chance),
    `${n}`,
  ])

const grouped = ({ pixcorr, ssim, ...others }: ReconstructionScores['metrics']) => {
  const of = (group: ReturnType<typeof groupOf>) =>
    Object.fromEntries(Object.entries(others).filter(([id]) => groupOf(metrics[id as MetricId]) === group))
  const [twoway, distance, standIn] = [of('identification'), of('distance'), of('standIn')]
  return { pixcorr: pixcorr!, ssim: ssim!, twoway, distance, standIn }
}

/** Under a table with such scores. */
const STAND_IN_NOTE = 'Stand-ins are of the pack’s own networks: not to be compared with published scores.'

/** The scores of reconstructions by metric, in the order of the paper's table. */
export function namedScores({ pixcorr, ssim, twoway, distance, standIn }: Evaluation): [MetricId, MetricScore][] {
  const given = { pixcorr, ssim, ...twoway, ...distance, ...standIn }
  return Object.entries(given).flatMap(([id, score]) => (score ? [[id as MetricId, score]] : []))
}

function describeReconstructions(result: Evaluation): string[] {
  const { kind, set, reconstructions, images, pixcorr, standIn, missing = [], note } = result
  if (note !== undefined) return [`Reconstructions: ${note}.`]
  if (kind === undefined) return []
  const rows = namedScores(result).map(([id, { mean, ci95, chance, p }]) => {
    const { title, better } = metrics[id]
    const [low, high] = ci95.map((x) => x.toFixed(3))
    return [
      `${title}${better === 'lower' ? ' (lower is better)' : ''}`,
      mean.toFixed(3),
      `[${low}, ${high}]`,
      chance.toFixed(3),
      p.toFixed(4),
    ]
  })
  return [
    `Reconstructions, ${kind} · set ${set} · ${reconstructions} of ${images} distinct images · ${pixcorr!.version}`,
    '',
    formatTable(['METRIC', 'MEAN', '95 % INTERVAL', 'OTHER IMAGES', 'P'], rows),
    ...(Object.keys(standIn!).length ? [STAND_IN_NOTE] : []),
    ...missing.map(
      ({ metrics: ids, title, place, source, found }) =>
        `${ids.map((id) => metrics[id].title).join(', ')}: needs ${title} in the pack’s ${place} (from ${source}); found ${found}`,
    ),
  ]
}

/** `12.3 %`. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** `[6.0, 18.2] %`. */
export const interval = ([low, high]: readonly [number, number]): string =>
  `[${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}] %`
