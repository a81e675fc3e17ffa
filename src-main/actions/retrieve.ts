import * as v from 'valibot'
import { resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/files.ts'
import { renderContactSheet } from '../figures/contactSheet.ts'
import type { Picture } from '../figures/contactSheet.ts'
import { scoreRun } from '../evaluation/runScores.ts'
import { answerQueries, poolRandom } from '../retrieval/answers.ts'
import type { Direction } from '../retrieval/pools.ts'
import { directions, retrievalTask } from '../retrieval/pools.ts'
import type { RunSimilarity } from '../retrieval/runSimilarity.ts'
import { openSubject } from '../subjects/subject.ts'
import type { Subject } from '../subjects/subject.ts'
import type { RunRecord } from '../workspace/index.ts'
import { defineAction, pathField } from './action.ts'
import { questions } from './evaluate.ts'
import { finishedRun } from './finishedRun.ts'
import { retrieveFromGallery } from './retrieveFromGallery.ts'
import { repeatsField, runPlace } from './runPlace.ts'
import { formatTable } from './table.ts'
import { runConfig } from './train.ts'

/** One held-out brain pattern (or, in the brain direction, one image) and what it finds, most similar first. */
export interface RetrievedTrial {
  /** Row of the subject's trial table; of averaged repeats the first. */
  trial: number
  /** Id of the image that was seen. */
  stimulus: string
  /** Place of the right one in the pool; halves where tied. Of a gallery: only where it holds the seen image among its best. */
  rank?: number
  found: { stimulus: string; similarity: number; correct: boolean }[]
}

export interface Retrieved {
  run: string
  direction: Direction
  pool: number
  /** Where images were found that are not the test images. */
  gallery?: string
  top: number
  trials: RetrievedTrial[]
  /** The contact sheet, when one was asked for. */
  sheet?: string
}

export const retrieveAction = defineAction({
  name: 'retrieve',
  summary: 'Show what each held-out trial of a run retrieves, with the rank of the right one.',
  input: v.pipe(
    v.object({
      workspace: v.pipe(v.string(), v.description('the workspace folder')),
      run: v.pipe(v.string(), v.description('id of the run')),
      top: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.description('how many of the best to show')), 5),
      pool: v.optional(
        v.pipe(
          v.number(),
          v.integer(),
          v.minValue(2),
          v.description(
            'distinct images to choose from: the right one and the first others of one seeded order (default: all test images)',
          ),
        ),
      ),
      direction: v.optional(
        v.pipe(v.picklist(directions), v.description(`image: ${questions.image}; brain: ${questions.brain}`)),
        'image',
      ),
      gallery: v.optional(
        v.pipe(v.string(), v.description('id of a gallery to retrieve from instead of the test images')),
      ),
      repeats: repeatsField,
      trial: v.optional(
        v.pipe(
          v.array(v.pipe(v.number(), v.integer())),
          v.description('only these held-out trials, by their row in the trial table, from 0 (default: all)'),
        ),
      ),
      seed: v.optional(v.pipe(v.number(), v.integer(), v.description('of the pool, and of the intervals')), 42),
      out: v.optional(
        v.pipe(
          v.string(),
          v.description('also write a contact sheet here (PNG): seen and retrieved images'),
          pathField(),
        ),
      ),
    }),
    v.forward(
      v.check(
        ({ out, direction }) => out === undefined || direction === 'image',
        'no contact sheet with --direction brain, where brain patterns are found and not images',
      ),
      ['out'],
    ),
    v.forward(
      v.check(
        ({ gallery, direction, pool, out }) =>
          gallery === undefined || (direction === 'image' && pool === undefined && out === undefined),
        'a gallery only to find images in, whole: no --direction brain, no --pool, no contact sheet',
      ),
      ['gallery'],
    ),
  ),
  async run(ctx, input, options): Promise<Retrieved> {
    const { signal } = options
    const workspace = await ctx.workspace(input.workspace)
    const run = finishedRun(workspace, input.run)
    if (input.gallery !== undefined)
      return retrieveFromGallery(ctx, workspace, run, { ...input, gallery: input.gallery }, options)
    const job = { ...runPlace(workspace, run), repeats: input.repeats }
    const similarity = await ctx.engine().call('similarity', job, { signal })
    const subject = await openSubject(workspace.subjects.get(run.subject).folder)
    try {
      const task = retrievalTask(similarity, input.direction)
      const pool = input.pool ?? task.candidates
      const random = poolRandom(input.seed, input.direction)
      const asked = queriesOf(similarity, input.direction, subject, input.trial)
      const stimulusOf = (candidate: number) => subject.stimuli.ids[similarity.pool[task.image[candidate]]]
      const answers = answerQueries(task, Math.max(input.top, SHEET_COLUMNS), random, pool).filter(({ query }) =>
        asked.has(query),
      )
      const trials = answers.map(({ query, rank, found }) => ({
        trial: asked.get(query)!,
        stimulus: stimulusOf(task.own[query]),
        rank,
        found: found.map(({ candidate, ...rest }) => ({ stimulus: stimulusOf(candidate), ...rest })),
      }))
      if (input.out !== undefined)
        writeFileAtomic(
          resolve(input.out),
          await contactSheet(run, subject, trials, similarity, input.seed, input.pool),
        )
      return {
        run: run.id,
        direction: input.direction,
        pool,
        top: input.top,
        trials: trials.map((trial) => ({ ...trial, found: trial.found.slice(0, input.top) })),
        sheet: input.out === undefined ? undefined : resolve(input.out),
      }
    } finally {
      subject.close()
    }
  },
  format: ({ run, direction, pool, gallery, top, trials, sheet }) => {
    const columns = Array.from({ length: Math.min(top, pool) }, (_, k) => `${k + 1}`)
    const rows = trials.map(({ trial, stimulus, rank, found }) => [
      `${trial}`,
      stimulus,
      rank === undefined ? '–' : `${rank}`,
      ...found.map(
        ({ stimulus, similarity, correct }) => `${correct ? '✓' : ' '} ${stimulus} (${similarity.toFixed(3)})`,
      ),
    ])
    const ranks = trials.flatMap(({ rank }) => rank ?? []).sort((a, b) => a - b)
    const table = formatTable(['TRIAL', 'SEEN', 'RANK', ...columns], rows)
    if (gallery !== undefined)
      return [
        `${run} · ${questions[direction]} · gallery ${gallery} of ${pool} images`,
        '',
        table,
        '',
        ranks.length
          ? `✓ the very image that was seen, which the gallery holds for ${ranks.length} of ${trials.length} trials.`
          : 'The gallery holds none of the seen images among the best, so there is no right one and no rank.',
      ].join('\n')
    return [
      `${run} · ${questions[direction]} · pool of ${pool}`,
      '',
      table,
      '',
      `✓ the right one; in brackets the cosine similarity. Median rank ${median(ranks)} of ${pool} (chance ${(pool + 1) / 2}).`,
      ...(sheet ? [`contact sheet: ${sheet}`] : []),
    ].join('\n')
  },
})

/** Images beside the seen one on a contact sheet. */
const SHEET_COLUMNS = 5

/** Of ascending numbers. */
const median = (sorted: readonly number[]): number =>
  (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2

/**
 * The queries asked, each with the number of its (first) trial. A trial that was averaged with its repeats stands for all of
 * them. Throws for a trial that the run did not hold out.
 */
function queriesOf(
  { trial, ownImage, pool }: RunSimilarity,
  direction: Direction,
  subject: Subject,
  chosen?: readonly number[],
): Map<number, number> {
  const images = [...new Set(ownImage)].sort((a, b) => a - b)
  const rows =
    direction === 'image' ? Array.from(trial, (_, row) => row) : images.map((image) => ownImage.indexOf(image))
  const all = new Map(rows.map((row, query) => [query, trial[row]]))
  if (!chosen) return all
  const wanted = chosen.map((number) => {
    const stimulus = subject.trials.stimulus[number]
    const exact = rows.findIndex((row) => trial[row] === number)
    const query = exact >= 0 ? exact : rows.findIndex((row) => pool[ownImage[row]] === stimulus)
    if (query >= 0) return query
    throw new MindEyeError({
      kind: 'input',
      where: '--trial',
      expected: `held-out trials of this run, e.g. ${[...trial.slice(0, 5)].join(',')}`,
      found: `${number}`,
      fix: 'Leave --trial out to see them all.',
    })
  })
  return new Map([...all].filter(([query]) => wanted.includes(query)))
}

/** A PNG of the trials; the scores above them are over all held-out trials. */
async function contactSheet(
  run: RunRecord,
  subject: Subject,
  trials: readonly (RetrievedTrial & { rank: number })[],
  similarity: RunSimilarity,
  seed: number,
  pool?: number,
): Promise<Uint8Array> {
  const indexOf = new Map(subject.stimuli.ids.map((id, index) => [id, index]))
  const picture = (stimulus: string): Picture => subject.readImages([indexOf.get(stimulus)!])
  const scores = scoreRun(similarity, [1, 3], seed, pool)
  return renderContactSheet({
    run: run.id,
    subject: `${run.subject} · ${run.preset}`,
    split: runConfig(run).split,
    poolSize: pool ?? similarity.images,
    n: similarity.trials,
    scores: directions.flatMap((direction) =>
      Object.entries(scores[direction]).map(([top, { mean, ci95, chance }]) => ({
        label: `find ${direction}, ${top.replace('top', 'top-')}`,
        mean,
        ci95,
        chance,
      })),
    ),
    // The sheet shows 24 trials at most: pictures are read when it asks for them.
    rows: trials.map(({ trial, stimulus, rank, found }) => ({
      label: `Trial ${trial}`,
      detail: stimulus,
      rank,
      get seen() {
        return picture(stimulus)
      },
      get tiles() {
        return found.map(({ stimulus, similarity: value, correct }) => ({ picture: picture(stimulus), value, correct }))
      },
    })),
    columns: Array.from({ length: SHEET_COLUMNS }, (_, k) => (k ? `${k + 1}` : 'retrieved 1')),
    legend: 'Numbers: cosine similarity of brain and image embedding. Frame and tick: the seen image.',
  })
}
