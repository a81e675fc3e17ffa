import * as v from 'valibot'
import type { ExperimentName } from '../evaluation/experiments.ts'
import { experiments, trainedExperiments } from '../evaluation/experiments.ts'
import { parseSet, presets } from '../training/presets.ts'
import type { JsonObject } from '../workspace/index.ts'
import { defineAction } from './action.ts'
import { runEmbedding } from './experiments/embedding.ts'
import { runLowLevel } from './experiments/lowLevel.ts'
import type { ExperimentResult, SeedScore } from './experiments/result.ts'
import { runTrained } from './experiments/trained.ts'
import { runJob } from './job.ts'
import { formatTable } from './table.ts'

const names = Object.keys(experiments) as ExperimentName[]

/** Scenes from which a seed of the embedding experiment is made: ridge's cost grows with the cube of the first. */
const SCENES = { train: 800, test: 400 }

export const experimentAction = defineAction({
  name: 'experiment',
  summary: 'Rerun an experiment behind a claim of the paper: a grid with seeds, its curve with intervals, what shows.',
  ownJob: true,
  input: v.pipe(
    v.object({
      name: v.pipe(
        v.picklist(names),
        v.description(names.map((name) => `${name}: ${experiments[name].claim}`).join(' ')),
      ),
      workspace: v.pipe(v.string(), v.description('the workspace folder')),
      subject: v.optional(
        v.pipe(v.string(), v.description('id of the subject; not for embedding, which draws scenes')),
      ),
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
          v.description('repetitions of every place of the grid, with seeds 1, 2, …; those that are there are kept'),
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
      lowPreset: v.optional(
        v.pipe(
          v.picklist(presets.map(({ id }) => id)),
          v.description(
            'low-level: options of the low-level decoder, where the high-level one makes no pictures by itself',
          ),
        ),
        'demo-low-level',
      ),
      lowSet: v.optional(
        v.pipe(v.array(v.string()), v.description('low-level: change an option of the low-level decoder, repeatable')),
      ),
      trials: v.optional(
        v.pipe(
          v.number(),
          v.integer(),
          v.minValue(2),
          v.description('low-level: how many held-out patterns to reconstruct, drawn at random (default: all)'),
        ),
      ),
    }),
    v.forward(
      v.check((input) => input.name === 'embedding' || input.subject !== undefined, 'the id of a subject'),
      ['subject'],
    ),
    v.forward(
      v.check((input) => input.name !== 'embedding' || input.pack !== undefined, 'the id of a pack with its networks'),
      ['pack'],
    ),
    v.forward(
      v.check(({ name, values }) => name in trainedExperiments || values === undefined, 'none for this experiment'),
      ['values'],
    ),
  ),
  positional: ['name'],
  async run(ctx, input, options): Promise<ExperimentResult> {
    const workspace = await ctx.workspace(input.workspace)
    const { workspace: _, name, subject, pack, ...asked } = input
    const seeds = Array.from({ length: input.seeds }, (_, i) => i + 1)
    const given = JSON.parse(JSON.stringify({ name, subject, pack, ...asked })) as JsonObject // without what was left out
    return runJob(workspace, { action: 'experiment', input: given }, options, (job) => {
      if (name === 'embedding') return runEmbedding(ctx, workspace, { pack: pack!, seeds, scenes: SCENES }, job.options)
      const { preset, split, trials } = input
      const training = { subject: subject!, preset, split, pack, set: parseSet(input.set ?? []), seeds }
      if (name === 'low-level') {
        const low = { preset: input.lowPreset, set: parseSet(input.lowSet ?? []) }
        return runLowLevel({ ...ctx, log: job.log }, workspace, { ...training, low, trials }, job.options)
      }
      const values = input.values?.split(',').map(Number)
      const trained = { ...training, name, values }
      return runTrained({ ...ctx, log: job.log }, workspace, trained, job.options)
    })
  },
  format: (result) => {
    const { claim, axis, conditions, seeds, measures, points, contrasts, summary } = result
    const over = seeds.length === 1 ? '1 seed' : `${seeds.length} seeds, 95 % intervals over them`
    const titleOf = (id: string) => measures.find((measure) => measure.id === id)!.title
    return [
      claim,
      '',
      [...conditions, over].join(' · '),
      '',
      formatTable(
        [
          'SERIES',
          axis.title.toUpperCase(),
          ...measures.map(({ title, chance }) => `${title} (guessing ${three(chance)})`),
        ],
        points.map(({ series, x, scores }) => [
          series,
          axis.labels?.[x] ?? `${x}`,
          ...measures.map(({ id }) => scored(scores[id])),
        ]),
      ),
      '',
      formatTable(
        ['DIFFERENCE', 'IN', 'MEAN', '95 % INTERVAL', 'SHOWS'],
        contrasts.map(({ title, measure, difference, ci95, shows }) => [
          title,
          titleOf(measure),
          signed(difference),
          ci95 ? interval(ci95) : '',
          shows ?? 'one seed says nothing',
        ]),
      ),
      '',
      ...summary,
    ].join('\n')
  },
})

const three = (value: number) => value.toFixed(3)
const signed = (value: number) => (value < 0 ? '−' : '+') + three(Math.abs(value))
const interval = ([low, high]: readonly [number, number]) => `[${three(low)}, ${three(high)}]`
const scored = ({ mean, ci95 }: SeedScore) => (ci95 ? `${three(mean)} ${interval(ci95)}` : three(mean))
