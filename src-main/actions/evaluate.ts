import * as v from 'valibot'
import { POOL_DRAWS } from '../evaluation/runScores.ts'
import type { TopScores } from '../evaluation/runScores.ts'
import { directions } from '../retrieval/pools.ts'
import type { Direction } from '../retrieval/pools.ts'
import { defineAction } from './action.ts'
import { finishedRun } from './finishedRun.ts'
import { repeatsField, runPlace } from './runPlace.ts'
import { formatTable } from './table.ts'
import { runConfig } from './train.ts'

/** What is asked, for people. */
export const questions: Record<Direction, string> = {
  image: 'given the brain, find the image',
  brain: 'given the image, find the brain pattern',
}

export interface Evaluation {
  run: string
  split: string
  /** Scored brain patterns and distinct images among which they are told apart. */
  trials: number
  pool: number
  retrieval: Record<Direction, TopScores>
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
    repeats: repeatsField,
  }),
  async run(ctx, input, { signal }): Promise<Evaluation> {
    const workspace = await ctx.workspace(input.workspace)
    const run = finishedRun(workspace, input.run)
    const { seed, pool, repeats } = input
    const ks = input.top.split(',').map(Number)
    const job = { ...runPlace(workspace, run), repeats, ks, drawSeed: seed, pool }
    const { trials, images, scores } = await ctx.engine().call('scores', job, { signal })
    return { run: run.id, split: runConfig(run).split, trials, pool: pool ?? images, retrieval: scores }
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
