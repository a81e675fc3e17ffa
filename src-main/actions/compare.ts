import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import type { Comparison } from '../evaluation/comparison.ts'
import { metrics } from '../evaluation/metrics.ts'
import { kinds } from '../reconstruction/sets.ts'
import type { Kind } from '../reconstruction/sets.ts'
import type { RunRecord, Workspace } from '../workspace/index.ts'
import { defineAction } from './action.ts'
import { questions } from './evaluate.ts'
import { finishedRun } from './finishedRun.ts'
import { chooseSet, metricPackField, scoreSet, setField } from './reconstructed.ts'
import type { ChosenSet } from './reconstructed.ts'
import { runPlace } from './runPlace.ts'
import { formatTable } from './table.ts'

/** One side of a comparison; without a set only what the run retrieves is compared. */
export interface ComparedRun {
  run: string
  kind?: Kind
  set?: string
  /** Why there are no reconstructions. */
  note?: string
}

export interface RunComparison extends Comparison {
  a: ComparedRun
  b: ComparedRun
  seed: number
}

const kindField = v.picklist([...kinds, 'none'])

export const compareAction = defineAction({
  name: 'compare',
  summary: 'Compare two runs of a subject, or two kinds of reconstructions, trial by trial with a paired test.',
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    run: v.pipe(v.string(), v.description('id of a run')),
    against: v.pipe(v.string(), v.description('id of the run to compare it with; may be the same one')),
    kind: v.optional(
      v.pipe(kindField, v.description('which reconstructions of the run; none: what it retrieves alone')),
      'combined',
    ),
    againstKind: v.optional(v.pipe(kindField, v.description('which of the other run (default: as --kind)'))),
    set: setField,
    againstSet: setField,
    pack: metricPackField,
    seed: v.optional(v.pipe(v.number(), v.integer(), v.description('of intervals and permutations')), 42),
  }),
  async run(ctx, input, options): Promise<RunComparison> {
    const workspace = await ctx.workspace(input.workspace)
    const { seed, pack, kind } = input
    const [a, b] = [input.run, input.against].map((id) => finishedRun(workspace, id))
    checkSubject(a, b)
    const sides = [
      { run: a, asked: { kind, set: input.set } },
      { run: b, asked: { kind: input.againstKind ?? kind, set: input.againstSet } },
    ].map(({ run, asked: { kind, set } }) => ({
      run,
      chosen: kind === 'none' ? undefined : chooseSet(workspace, run, { kind, set, pack, seed }),
    }))
    for (const { chosen } of sides) if (typeof chosen === 'object') await scoreSet(ctx, chosen, options)
    const jobs = sides.map(({ run, chosen }) => comparedJob(workspace, run, chosen))
    const comparison = await ctx
      .engine()
      .call('compareRuns', { a: jobs[0], b: jobs[1], seed }, { signal: options.signal })
    const [left, right] = sides.map(({ run, chosen }): ComparedRun =>
      typeof chosen === 'object'
        ? { run: run.id, kind: chosen.job.kind, set: chosen.job.set.id }
        : { run: run.id, note: chosen },
    )
    return { a: left, b: right, seed, ...comparison }
  },
  format: ({ a, b, scores, incomparable }) => {
    const name = ({ run, kind }: ComparedRun) => [run, kind].filter(Boolean).join(' ')
    const notes = [a, b].filter(({ note }) => note !== undefined)
    return [
      `A: ${name(a)}`,
      `B: ${name(b)}`,
      '',
      formatTable(
        ['SCORE', 'A', 'B', 'A − B', '95 % INTERVAL', 'P', 'IMAGES', 'TRIALS'],
        scores.map(({ score, better, a, b, difference, ci95, p, images, trials }) => [
          `${scoreTitle(score)}${better === 'lower' ? ' (lower is better)' : ''}`,
          ...[a, b, difference].map((value) => value.toFixed(3)),
          `[${ci95.map((value) => value.toFixed(3)).join(', ')}]`,
          p.toFixed(4),
          `${images}`,
          `${trials}`,
        ]),
      ),
      ...incomparable.map(({ score, reason }) => `${scoreTitle(score)}: ${reason}`),
      ...notes.map(({ run, note }) => `${run}: ${note}`),
    ].join('\n')
  },
})

/** A score's name for people. */
const scoreTitle = (score: Comparison['scores'][number]['score']): string =>
  score === 'retrieval.image' || score === 'retrieval.brain'
    ? `top-1, ${questions[score === 'retrieval.image' ? 'image' : 'brain']}`
    : metrics[score].title

const comparedJob = (workspace: Workspace, run: RunRecord, chosen: ChosenSet | string | undefined) => ({
  place: runPlace(workspace, run),
  reconstructions: typeof chosen === 'object' ? chosen.job : undefined,
})

function checkSubject(a: RunRecord, b: RunRecord): void {
  if (a.subject === b.subject) return
  throw new MindEyeError({
    kind: 'input',
    where: `--against ${b.id}`,
    expected: `a run of ${a.subject}, as ${a.id} is`,
    found: `one of ${b.subject}`,
    fix: 'Runs of different subjects have no trials in common; compare their scores with `mindeye evaluate`.',
  })
}
