import type { RunOptions } from '../base/progress.ts'
import { renderContactSheet } from '../figures/contactSheet.ts'
import type { Picture } from '../figures/contactSheet.ts'
import { findSet, readPicture } from '../reconstruction/sets.ts'
import type { FloatPicture, Kind } from '../reconstruction/sets.ts'
import { openSubject } from '../subjects/subject.ts'
import type { Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import type { Evaluation } from './evaluate.ts'
import { retrieveAction } from './retrieve.ts'
import { runConfig } from './train.ts'

const TRIALS = 12

/** The order of the columns after the seen image and the retrieved one. */
const kinds: readonly Kind[] = ['low', 'high', 'combined']

/** A PNG of held-out trials, evenly spaced: seen, retrieved, and reconstructed in three ways; the scores above are over all held-out trials. */
export async function demoSheet(
  ctx: ActionContext,
  workspace: Workspace,
  mindeye: Record<Kind, Evaluation>,
  options: RunOptions,
): Promise<Uint8Array> {
  const { run: id, seed, pool, trials: n } = mindeye.combined
  const run = workspace.runs.get(id)
  const asked = { workspace: workspace.path, run: id, top: 1, direction: 'image', seed } as const
  const { trials } = await retrieveAction.run(ctx, asked, options)
  const set = findSet(workspace.runs.folderOf(id), mindeye.combined.set!)
  const subject = await openSubject(workspace.subjects.get(run.subject).folder)
  try {
    const indexOf = new Map(subject.stimuli.ids.map((stimulus, index) => [stimulus, index]))
    const picture = (stimulus: string): Picture => subject.readImages([indexOf.get(stimulus)!])
    const chosen = Array.from(
      { length: Math.min(TRIALS, trials.length) },
      (_, i) => trials[Math.floor((i * trials.length) / Math.min(TRIALS, trials.length))],
    )
    return await renderContactSheet({
      run: id,
      subject: `${run.subject} · ${run.preset}`,
      split: runConfig(run).split,
      poolSize: pool,
      n,
      scores: [
        { label: 'find image, top-1', ...mindeye.combined.retrieval.image.top1 },
        ...kinds.map((kind) => ({ label: `PixCorr, ${kind}`, ...mindeye[kind].pixcorr! })),
      ],
      columns: ['retrieved', ...kinds],
      legend:
        'Numbers: cosine similarity of the embeddings of brain and retrieved image. Frame and tick: the seen image.',
      rows: chosen.map(({ trial, stimulus, rank, found }) => ({
        label: `Trial ${trial}`,
        detail: stimulus,
        rank: rank!,
        seen: picture(stimulus),
        tiles: [
          ...found.map((one) => ({ picture: picture(one.stimulus), value: one.similarity, correct: one.correct })),
          ...kinds.map((kind) => ({ picture: bytes(readPicture(set, trial, kind)) })),
        ],
      })),
    })
  } finally {
    subject.close()
  }
}

const bytes = ({ height, width, data }: FloatPicture): Picture => ({
  ...{ height, width, channels: 3 },
  data: Uint8Array.from(data, (value) => Math.round(255 * value)),
})
