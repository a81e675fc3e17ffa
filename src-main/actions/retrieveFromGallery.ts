import { createHash } from 'node:crypto'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import type { GalleryAnswers, GalleryJob } from '../retrieval/galleryAnswers.ts'
import type { Repeats } from '../retrieval/repeats.ts'
import { openSubject } from '../subjects/subject.ts'
import type { RunRecord, Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import type { GalleryPlace } from './galleryEmbeddings.ts'
import { embedGallery, embeddedGallery, galleryPlace } from './galleryEmbeddings.ts'
import type { Retrieved, RetrievedTrial } from './retrieve.ts'
import { runPlace } from './runPlace.ts'

interface Request {
  gallery: string
  top: number
  repeats?: Repeats
  trial?: readonly number[]
}

/** What the held-out trials of a run find in a gallery, whose images are embedded first where they are not yet. */
export async function retrieveFromGallery(
  ctx: ActionContext,
  workspace: Workspace,
  run: RunRecord,
  { gallery, top, repeats, trial }: Request,
  options: RunOptions,
): Promise<Retrieved> {
  const place = galleryPlace(workspace, gallery)
  await embedGallery(ctx, workspace, run, place, options)
  const call = { signal: options.signal, onProgress: options.progress }
  const answers = await ctx.engine().call('galleryAnswers', galleryJob(workspace, run, place, repeats), call)
  const trials = await inWords(workspace, run, place, answers, top)
  return {
    run: run.id,
    direction: 'image',
    gallery,
    pool: place.images.length,
    top,
    trials: trial ? trial.map((number) => chosen(trials, number)) : trials,
  }
}

/** The question of what a run finds in a gallery, for the engine. */
export function galleryJob(workspace: Workspace, run: RunRecord, place: GalleryPlace, repeats?: Repeats): GalleryJob {
  const { embeddings, hashes } = embeddedGallery(workspace, run, place)
  const galleryKey = createHash('sha256')
    .update(`${place.fingerprint} ${embeddings.join(' ')}`)
    .digest('hex')
    .slice(0, 12)
  return { ...runPlace(workspace, run), repeats, gallery: { embeddings, hashes }, galleryKey }
}

async function inWords(
  workspace: Workspace,
  run: RunRecord,
  { images }: GalleryPlace,
  { k, index, similarity, trial, seen, own }: GalleryAnswers,
  top: number,
): Promise<RetrievedTrial[]> {
  const subject = await openSubject(workspace.subjects.get(run.subject).folder)
  subject.close()
  return Array.from(trial, (number, row) => {
    const places = Array.from({ length: k }, (_, i) => row * k + i)
    const place = places.findIndex((at) => index[at] === own[row])
    return {
      trial: number,
      stimulus: subject.stimuli.ids[seen[row]],
      ...(place >= 0 && { rank: place + 1 }),
      found: places.slice(0, top).map((at) => ({
        stimulus: images[index[at]].name,
        similarity: similarity[at],
        correct: index[at] === own[row],
      })),
    }
  })
}

function chosen(trials: readonly RetrievedTrial[], number: number): RetrievedTrial {
  const found = trials.find(({ trial }) => trial === number)
  if (found) return found
  throw new MindEyeError({
    kind: 'input',
    where: '--trial',
    expected: `held-out trials of this run, e.g. ${trials.slice(0, 5).map(({ trial }) => trial)}`,
    found: `${number}`,
    fix: 'Leave --trial out to see them all.',
  })
}
