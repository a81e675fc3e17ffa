import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import type { ExperimentName } from '../evaluation/experiments.ts'
import { experiments } from '../evaluation/experiments.ts'
import type { Interval } from '../evaluation/statistics.ts'
import { mean } from '../evaluation/statistics.ts'
import { studentInterval } from '../evaluation/student.ts'
import type { Direction } from '../retrieval/pools.ts'
import { directions } from '../retrieval/pools.ts'
import { readManifest, readTrials } from '../subjects/subject.ts'
import { groupItems, trainingFolds } from '../training/examples.ts'
import { parseSet, presetConfig, presets } from '../training/presets.ts'
import { defineAction } from './action.ts'
import { ensureRun } from './ensureRun.ts'
import { evaluateAction, questions } from './evaluate.ts'
import { runJob } from './job.ts'
import { formatTable } from './table.ts'

/** What is measured of a run: the share of held-out patterns whose right counterpart comes first, in one direction. */
export type Measure = Direction

/** One place of an experiment's curve. */
export interface Point {
  series: string
  x: number
  /** By seed, ascending. */
  runs: string[]
  scores: Record<Measure, { values: number[]; mean: number; ci95?: Interval }>
}

/** Whether a difference shows: over the seeds, each with its own pair of runs. */
export interface ContrastResult {
  title: string
  measure: Measure
  difference: number
  ci95?: Interval
  /** Whether the interval leaves out zero; undefined with a single seed. */
  shows?: 'better' | 'worse' | 'no difference'
}

export interface ExperimentResult {
  experiment: ExperimentName
  claim: string
  axis: { title: string; unit: string }
  subject: string
  preset: string
  /** Options changed in all cells. */
  set: Record<string, string>
  split: string
  seeds: number[]
  /** Held-out patterns, distinct images to choose from, and the score of guessing. */
  trials: number
  pool: number
  chance: number
  points: Point[]
  contrasts: ContrastResult[]
}

const names = Object.keys(experiments) as ExperimentName[]

export const experimentAction = defineAction({
  name: 'experiment',
  summary: 'Rerun an experiment behind a claim of the paper: a grid of trainings with seeds, its curve with intervals.',
  ownJob: true,
  input: v.object({
    name: v.pipe(
      v.picklist(names),
      v.description(names.map((name) => `${name}: ${experiments[name].claim}`).join(' ')),
    ),
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    subject: v.pipe(v.string(), v.description('id of the subject')),
    preset: v.optional(
      v.pipe(v.picklist(presets.map(({ id }) => id)), v.description('options that all trainings start from')),
      'small-study',
    ),
    split: v.optional(v.pipe(v.string(), v.description('what is held out (default: what the import chose)'))),
    seeds: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(1),
        v.maxValue(31),
        v.description('trainings per place of the grid, seeds 1, 2, …'),
      ),
      3,
    ),
    values: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[1-9]\d*(,[1-9]\d*)*$/, 'whole numbers, e.g. 32,512'),
        v.description('places on the axis, ascending (default: the experiment’s own)'),
      ),
    ),
    pack: v.optional(v.pipe(v.string(), v.description('id of the pack whose pretrained networks to use'))),
    set: v.optional(
      v.pipe(v.array(v.string()), v.description('change an option in all trainings, name=value, repeatable')),
    ),
  }),
  positional: ['name'],
  async run(ctx, input, options): Promise<ExperimentResult> {
    const workspace = await ctx.workspace(input.workspace)
    const experiment = experiments[input.name]
    const { subject, preset, pack } = input
    const { folder } = workspace.subjects.get(subject)
    const manifest = readManifest(folder)
    const set = parseSet(input.set ?? [])
    const split = input.split ?? manifest.defaultSplit
    const config = presetConfig(preset, set)
    checkMethod(preset, config.method)
    const trials = readTrials(folder, manifest)
    const examples = Math.min(
      ...trainingFolds(trials, split, 1, config).map(({ train }) => groupItems(trials, train, config.items).count),
    )
    const values = input.values?.split(',').map(Number) ?? experiment.values(examples)
    const cells = experiment.cells(values, examples, config)
    const seeds = Array.from({ length: input.seeds }, (_, i) => i + 1)
    const { workspace: _, ...asked } = input
    const job = { action: 'experiment', input: JSON.parse(JSON.stringify(asked)) as typeof asked }
    return runJob(workspace, job, options, async ({ options: inner, log }) => {
      const total = cells.length * seeds.length
      const points: Point[] = []
      let facts: Pick<ExperimentResult, 'trials' | 'pool' | 'chance'> | undefined
      for (const { series, x, set: own } of cells) {
        const runs: string[] = []
        const scores = { image: [] as number[], brain: [] as number[] }
        for (const seed of seeds) {
          const done = points.length * seeds.length + runs.length
          const place = `${series}, ${x} ${experiment.axis.unit}, seed ${seed}`
          const wanted = { subject, preset, set: { ...set, ...own }, split, seed, pack }
          const run = await ensureRun({ ...ctx, log }, workspace, wanted, within(inner, done, total, place))
          const scoring = { workspace: workspace.path, run, top: '1', seed: 1 }
          const { trials, pool, retrieval } = await evaluateAction.run(ctx, scoring, { ...inner, progress() {} })
          facts = { trials, pool, chance: retrieval.image.top1.chance }
          for (const direction of directions) scores[direction].push(retrieval[direction].top1.mean)
          runs.push(run)
        }
        points.push({ series, x, runs, scores: { image: summary(scores.image), brain: summary(scores.brain) } })
      }
      const contrasts = experiment.contrasts(values).flatMap(({ title, of, against }) =>
        directions.map((measure): ContrastResult => {
          const valuesAt = (place: typeof of) =>
            points.find(({ series, x }) => series === place.series && x === place.x)!.scores[measure].values
          const others = valuesAt(against)
          const differences = valuesAt(of).map((value, i) => value - others[i])
          return { title, measure, ...contrast(differences) }
        }),
      )
      const { claim, axis } = experiment
      return { experiment: input.name, claim, axis, subject, preset, set, split, seeds, ...facts!, points, contrasts }
    })
  },
  format: (result) => {
    const { points, contrasts, axis, pool, chance, trials, seeds } = result
    const curve = points.map(({ series, x, scores }) => [
      series,
      `${x}`,
      ...directions.map((direction) => `${three(scores[direction].mean)} ${interval(scores[direction].ci95)}`),
    ])
    const heads = directions.map((direction) => `${direction} top-1`.toUpperCase())
    return [
      result.claim,
      '',
      `${result.subject} · ${result.preset} · split ${result.split} · ${trials} held-out patterns · pool of ${pool} · chance ${three(chance)} · ${seeds.length} ${seeds.length === 1 ? 'seed' : 'seeds, 95 % intervals over them'}`,
      '',
      formatTable(['SERIES', axis.title.toUpperCase(), ...heads], curve),
      '',
      formatTable(
        ['DIFFERENCE', 'OF', 'MEAN', '95 % INTERVAL', 'SHOWS'],
        contrasts.map(({ title, measure, difference, ci95, shows }) => [
          title,
          questions[measure],
          signed(difference),
          interval(ci95),
          shows ?? 'one seed says nothing',
        ]),
      ),
    ].join('\n')
  },
})

function checkMethod(preset: string, method: string): void {
  if (method === 'mindeye') return
  throw new MindEyeError({
    kind: 'input',
    where: '--preset',
    expected: 'a preset of the high-level decoder, which these claims are about',
    found: `'${preset}', method ${method}`,
    fix: 'For example --preset small-study.',
  })
}

/** The progress of one training as a part of all of them. */
const within = ({ signal, progress }: RunOptions, done: number, total: number, place: string): RunOptions => ({
  signal,
  progress: (report) =>
    progress({
      phase: 'experiment',
      done: done + (report.total ? report.done / report.total : 0),
      total,
      message: `${place}: ${report.phase}`,
    }),
})

const summary = (values: number[]) => ({ values, mean: mean(values), ci95: studentInterval(values) })

function contrast(differences: number[]): Pick<ContrastResult, 'difference' | 'ci95' | 'shows'> {
  const ci95 = studentInterval(differences)
  const shows = ci95 && (ci95[0] > 0 ? 'better' : ci95[1] < 0 ? 'worse' : 'no difference')
  return { difference: mean(differences), ci95, shows }
}

const three = (value: number) => value.toFixed(3)
const signed = (value: number) => (value < 0 ? '−' : '+') + Math.abs(value).toFixed(3)
const interval = (ci95: Interval | undefined) => (ci95 ? `[${three(ci95[0])}, ${three(ci95[1])}]` : '')
