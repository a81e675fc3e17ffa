import * as v from 'valibot'
import type { Score } from '../evaluation/retrievalScores.ts'
import { scoreRetrieval } from '../evaluation/retrievalScores.ts'
import { Random } from '../nn/random.ts'
import type { Direction } from '../retrieval/pools.ts'
import { defineAction } from './action.ts'
import { runConfig } from './train.ts'

const directions: readonly Direction[] = ['image', 'brain']

/** Pools averaged over when `--pool` is smaller than the test set, as in the paper. */
const POOL_DRAWS = 30

type TopScores = Record<`top${number}`, Score>

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
        v.regex(/^\d+(,\d+)*$/, 'expected whole numbers, e.g. 1,3'),
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
    const run = workspace.runs.get(input.run)
    const similarity = await ctx.engine().call('similarity', { runFolder: workspace.runs.folderOf(run.id) }, { signal })
    const ks = input.top.split(',').map(Number)
    const pool = input.pool === undefined ? undefined : { size: input.pool, draws: POOL_DRAWS }
    const scores = directions.map((direction) => {
      const { top } = scoreRetrieval(similarity, direction, ks, new Random(input.seed).split(direction), pool)
      return [direction, Object.fromEntries([...top].map(([k, score]) => [`top${k}`, score]))] as const
    })
    return {
      run: run.id,
      split: runConfig(run).split,
      trials: similarity.trials,
      pool: input.pool ?? similarity.images,
      retrieval: Object.fromEntries(scores) as Record<Direction, TopScores>,
    }
  },
  format: (result) => {
    const percent = (x: number) => `${(100 * x).toFixed(1)} %`.padStart(8)
    const lines = directions.flatMap((direction) =>
      Object.entries(result.retrieval[direction]).map(
        ([top, { mean, ci95, n, chance }]) =>
          `${direction.padEnd(9)} ${top.replace('top', 'top-').padEnd(7)} ${percent(mean)}   [${percent(ci95[0])}, ${percent(ci95[1])}]  ${percent(chance)}   ${n}`,
      ),
    )
    return [
      `${result.run} · split ${result.split} · ${result.trials} held-out patterns · pool of ${result.pool} distinct images`,
      `retrieve  within      score   95 % interval            chance   n`,
      ...lines,
    ].join('\n')
  },
})
