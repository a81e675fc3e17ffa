import { Hono } from 'hono'
import type { Context } from 'hono'
import * as v from 'valibot'
import { finishedRun } from '../../actions/finishedRun.ts'
import { embeddedGallery, galleryPlace, isEmbedded } from '../../actions/galleryEmbeddings.ts'
import { galleryJob } from '../../actions/retrieveFromGallery.ts'
import { runPlace } from '../../actions/runPlace.ts'
import { runConfig } from '../../actions/train.ts'
import { MindEyeError } from '../../base/errors.ts'
import { answerTable, poolRandom } from '../../retrieval/answers.ts'
import { keptMap } from '../../retrieval/embeddingMap.ts'
import type { MapJob } from '../../retrieval/embeddingMap.ts'
import { keptGalleryAnswers } from '../../retrieval/galleryAnswers.ts'
import { directions, retrievalTask } from '../../retrieval/pools.ts'
import { ownRepeats } from '../../retrieval/repeats.ts'
import type { HeldOutJob, Repeats } from '../../retrieval/repeats.ts'
import { keptSimilarity } from '../../retrieval/runSimilarity.ts'
import type { KeptSimilarity } from '../../retrieval/runSimilarity.ts'
import type { RunRecord } from '../../workspace/index.ts'
import { queryOf, wholeNumber } from '../query.ts'
import type { Services } from '../services.ts'
import { tagged } from '../tagged.ts'
import { galleryRoutes } from './galleries.ts'

/** What a finished run held out, and what its similarities are about. */
export interface RetrievalFacts {
  run: string
  subject: string
  /** Changes with everything that is made from the run: `?v=` of its arrays. */
  version: string
  split: string
  folds: number
  /** Of these similarities. */
  repeats: Repeats
  /** As the run was trained and tested. */
  ownRepeats: Repeats
  /** Both where an image has several held-out trials. */
  offered: Repeats[]
  /** Held-out patterns, the rows; distinct images, the columns. */
  rows: number
  images: number
  /** (First) trial of each row. */
  trial: number[]
  fold: number[]
  /** Column of the image that each row saw. */
  own: number[]
  /** Stimulus of each column, and its id. */
  stimulus: number[]
  ids: string[]
  /** Columns of which there is a pattern: queries and candidates of the brain direction. */
  seen: number[]
}

export interface MapFacts {
  patterns: number
  images: number
  /** PCA: share of the variance along each axis. */
  explained: [number, number]
}

/** What a run found in a gallery; the arrays are at `…/answers`: index and similarity (rows, k), own (rows). */
export interface GalleryFacts {
  gallery: string
  images: number
  /** Its images are embedded for this run; without that there is nothing else to say. */
  ready: boolean
  k: number
  rows: number
  /** Rows whose very image the gallery holds: only they have a rank. */
  held: number
  /** (First) trial of each row. */
  trial: number[]
}

const repeats = v.optional(v.picklist(['average', 'single']))
const version = v.optional(v.string())
const rowsQuery = v.object({ repeats, v: version })
const answersQuery = v.object({
  repeats,
  v: version,
  direction: v.optional(v.picklist(directions), 'image'),
  pool: v.optional(wholeNumber(2)),
  seed: v.optional(wholeNumber(), '42'),
  top: v.optional(v.pipe(wholeNumber(1), v.maxValue(200)), '24'),
})
const mapQuery = v.object({
  repeats,
  v: version,
  method: v.optional(v.picklist(['pca', 'umap']), 'pca'),
  fold: v.optional(wholeNumber(), '0'),
})

/** Matrices kept for what is asked next; one of NSD's single trials takes 11 MB. */
const MOST_KEPT = 4

/** What finished runs retrieve: similarities, answers, maps, and galleries. The engine computes, and keeps it with the run. */
export const retrievalRoutes = (services: Services) => {
  const { workspace, ctx, subjects } = services
  const kept = new Map<string, Promise<KeptSimilarity>>()

  /** Changes when the run or its subject does; a finished run only changes by being deleted. */
  const versionOf = (run: RunRecord) =>
    `${Date.parse(run.finished ?? run.created).toString(36)}-${subjects.versionOf(run.subject)}`

  const asked = (c: Context) => {
    const run = finishedRun(workspace, c.req.param('run')!)
    return { run, place: runPlace(workspace, run) }
  }

  function similarityOf(run: RunRecord, chosen: Repeats): Promise<KeptSimilarity> {
    const key = `${run.id} ${versionOf(run)} ${chosen}`
    let similarity = kept.get(key)
    if (!similarity) {
      similarity = computeSimilarity({ ...runPlace(workspace, run), repeats: chosen })
      similarity.catch(() => kept.delete(key))
      kept.set(key, similarity)
      while (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!)
    }
    return similarity
  }

  // What is kept is read at once: an engine process takes seconds to start.
  const computeSimilarity = async (job: HeldOutJob) => keptSimilarity(job) ?? ctx.engine().call('similarity', job)
  const mapOf = async (job: MapJob) => keptMap(job) ?? ctx.engine().call('map', job)

  async function factsOf(run: RunRecord, chosen?: Repeats): Promise<RetrievalFacts> {
    const { training, split } = runConfig(run)
    const own = ownRepeats(training)
    const similarity = await similarityOf(run, chosen ?? own)
    const { stimuli } = await subjects.get(run.subject)
    return {
      run: run.id,
      subject: run.subject,
      version: versionOf(run),
      split,
      folds: (similarity.fold.at(-1) ?? 0) + 1,
      repeats: chosen ?? own,
      ownRepeats: own,
      offered: similarity.isRepeated ? ['average', 'single'] : [own],
      rows: similarity.trials,
      images: similarity.images,
      trial: [...similarity.trial],
      fold: [...similarity.fold],
      own: [...similarity.ownImage],
      stimulus: [...similarity.pool],
      ids: Array.from(similarity.pool, (stimulus) => stimuli.ids[stimulus]),
      seen: [...new Set(similarity.ownImage)].sort((a, b) => a - b),
    }
  }

  const bytes = (c: Context, tag: string, make: () => Promise<readonly ArrayBufferView[]>) =>
    tagged(c, 'application/octet-stream', tag, async () => joined(await make()))

  return new Hono()
    .route('/galleries', galleryRoutes(services))
    .get('/:run', async (c) => {
      const { run } = asked(c)
      return c.json(await factsOf(run, queryOf(c, rowsQuery).repeats), 200, { 'Cache-Control': 'no-store' })
    })
    .get('/:run/similarity', (c) => {
      const { run } = asked(c)
      const chosen = queryOf(c, rowsQuery).repeats ?? ownRepeats(runConfig(run).training)
      return bytes(c, `similarity-${run.id}-${versionOf(run)}-${chosen}`, async () => [
        (await similarityOf(run, chosen)).values,
      ])
    })
    .get('/:run/answers', (c) => {
      const { run, place } = asked(c)
      const { direction, pool, seed, top, repeats } = queryOf(c, answersQuery)
      const tag = `answers-${run.id}-${versionOf(run)}-${repeats}-${direction}-${pool}-${seed}-${top}`
      return bytes(c, tag, async () => {
        const task = retrievalTask(await similarityOf(run, repeats ?? ownRepeats(place.config)), direction)
        const { index, similarity, rank } = answerTable(task, top, poolRandom(seed, direction), pool)
        return [index, similarity, rank]
      })
    })
    .get('/:run/map', (c) => {
      const { run, place } = asked(c)
      const { method, fold, repeats } = queryOf(c, mapQuery)
      return bytes(c, `map-${run.id}-${versionOf(run)}-${method}-${fold}-${repeats}`, async () => {
        return [(await mapOf({ ...place, repeats, method, fold })).xy]
      })
    })
    .get('/:run/map/facts', async (c) => {
      const { place } = asked(c)
      const { method, fold, repeats } = queryOf(c, mapQuery)
      const { xy: _, ...facts } = await mapOf({ ...place, repeats, method, fold })
      return c.json<MapFacts>(facts)
    })
    .get('/:run/galleries/:gallery', async (c) => {
      const { gallery, place, embedded } = galleryOf(c)
      const facts = {
        gallery,
        images: place.images.length,
        ready: isEmbedded(embedded),
        k: 0,
        rows: 0,
        held: 0,
        trial: [],
      }
      const headers = { 'Cache-Control': 'no-store' }
      // Not an error: it is asked in order to know.
      if (!facts.ready) return c.json<GalleryFacts>(facts, 200, headers)
      const { trial, k, own } = (await galleryAnswers(c)).answers
      const held = own.reduce((sum, number) => sum + (number >= 0 ? 1 : 0), 0)
      return c.json<GalleryFacts>({ ...facts, k, rows: trial.length, held, trial: [...trial] }, 200, headers)
    })
    .get('/:run/galleries/:gallery/answers', async (c) => {
      const { answers, key } = await galleryAnswers(c)
      return bytes(c, key, async () => [answers.index, answers.similarity, answers.own])
    })

  function galleryOf(c: Context) {
    const { run } = asked(c)
    const gallery = c.req.param('gallery')!
    const place = galleryPlace(workspace, gallery)
    return { run, gallery, place, embedded: embeddedGallery(workspace, run, place) }
  }

  async function galleryAnswers(c: Context) {
    const { run, gallery, place, embedded } = galleryOf(c)
    const { repeats } = queryOf(c, rowsQuery)
    if (!isEmbedded(embedded))
      throw new MindEyeError({
        kind: 'state',
        where: gallery,
        expected: 'its images as the encoder of this run sees them',
        found: 'that they are not embedded yet',
        fix: `Retrieve from it: \`mindeye retrieve --run ${run.id} --gallery ${gallery}\`.`,
      })
    const job = galleryJob(workspace, run, place, repeats)
    const key = `gallery-${run.id}-${versionOf(run)}-${job.galleryKey}-${repeats}`
    return { key, answers: keptGalleryAnswers(job) ?? (await ctx.engine().call('galleryAnswers', job)) }
  }
}

/** Arrays one behind the other. */
function joined(arrays: readonly ArrayBufferView[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const { buffer, byteOffset, byteLength } of arrays) {
    out.set(new Uint8Array(buffer, byteOffset, byteLength), at)
    at += byteLength
  }
  return out
}
