import * as v from 'valibot'
import type { Score } from '../evaluation/retrievalScores.ts'
import { scoreRetrieval } from '../evaluation/retrievalScores.ts'
import { Random } from '../nn/random.ts'
import type { Direction, TrialSimilarity } from '../retrieval/pools.ts'
import { defineAction } from './action.ts'
import { finishedRun } from './finishedRun.ts'
import { formatTable } from './table.ts'
import { runConfig } from './train.ts'

export const directions: readonly Direction[] = ['image', 'brain']

/** What is asked, for people. */
export const questions: Record<Direction, string> = {
  image: 'given the brain, find the image',
  brain: 'given the image, find the brain pattern',
}

/** Pools averaged over when `--pool` is smaller than the test set, as in the paper. */
const POOL_DRAWS = 30

export type TopScores = Record<`top${number}`, Score>

export interface Evaluation {
  run: string
  split: string
  /** Scored brain patterns and distinct images among which they are told apart. */
  trials: number
  pool: number
  retrieval: Record<Direction, TopScores>
}

/** Scores in both directions within each of `ks`; a `pool` smaller than the test set is drawn 30 times. */
export function scoreRun(
  similarity: TrialSimilarity,
  ks: readonly number[],
  seed: number,
  pool?: number,
): Record<Direction, TopScores> {
  const drawn = pool === undefined ? undefined : { size: pool, draws: POOL_DRAWS }
  const scores = directions.map((direction) => {
    const { top } = scoreRetrieval(similarity, direction, ks, new Random(seed).split(direction), drawn)
    return [direction, Object.fromEntries([...top].map(([k, score]) => [`top${k}`, score]))] as const
  })
  return Object.fromEntries(scores) as Record<Direction, TopScores>
}

export const evaluateAction = defineAction({
  name: 'evaluate',
  summary: 'Score a run on its held-out trials, with 95 % intervals beside chance.',
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    run: v.pipe(v.string(), v.description('id of the run')),
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
    seed: v.optional(v.pipe(v.number(), v.integer(), v.description('of pools and intervals')), 42),
  }),
  async run(ctx, input, { signal }): Promise<Evaluation> {
    const workspace = await ctx.workspace(input.workspace)
    const run = finishedRun(workspace, input.run)
    const similarity = await ctx.engine().call('similarity', { runFolder: workspace.runs.folderOf(run.id) }, { signal })
    return {
      run: run.id,
      split: runConfig(run).split,
      trials: similarity.trials,
      pool: input.pool ?? similarity.images,
      retrieval: scoreRun(similarity, input.top.split(',').map(Number), input.seed, input.pool),
    }
  },
  format: (result) => {
    const rows = directions.flatMap((direction) =>
      Object.entries(result.retrieval[direction]).map(([top, { mean, ci95, n, chance }]) => [
        questions[direction],
        top.replace('top', 'top-'),
        percent(mean),
        interval(ci95),
        percent(chance),
        `${n}`,
      ]),
    )
    return [
      `${result.run} · split ${result.split} · ${result.trials} held-out patterns · pool of ${result.pool} distinct images`,
      '',
      formatTable(['RETRIEVAL', 'WITHIN', 'SCORE', '95 % INTERVAL', 'CHANCE', 'N'], rows),
    ].join('\n')
  },
})

/** `12.3 %`. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** `[6.0, 18.2] %`. */
export const interval = ([low, high]: readonly [number, number]): string =>
  `[${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}] %`
