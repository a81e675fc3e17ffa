import type { Image } from '../../formats/images.ts'
import type { PanelOf } from '../../figures/document.ts'
import { openSubject } from '../../subjects/subject.ts'
import { finishedRun } from '../finishedRun.ts'
import { retrieveAction } from '../retrieve.ts'
import type { RetrievedTrial } from '../retrieve.ts'
import { runConfig } from '../train.ts'
import { chooseTrials, chosenWords, runProvenance } from './gather.ts'
import type { Gathered, GatherPlace } from './gather.ts'

const TOP = 5
const SHOWN = 8

/** All held-out trials with what they retrieve among the test images. */
async function retrieved({ ctx, workspace, options }: GatherPlace, run: string, top: number) {
  const asked = { workspace: workspace.path, run, top, direction: 'image', seed: 42 } as const
  const { trials, pool } = await retrieveAction.run(ctx, asked, options)
  return { pool, trials: trials as (RetrievedTrial & { rank: number })[] }
}

/** What held-out trials retrieve, with the pictures. */
export async function gatherRetrieval(place: GatherPlace, source: PanelOf<'retrieval'>['source']): Promise<Gathered> {
  const { workspace } = place
  const run = finishedRun(workspace, source.run)
  const { pool, trials } = await retrieved(place, run.id, source.top ?? TOP)
  const chosen = chooseTrials(trials, source, SHOWN)
  const names = chosen.flatMap(({ stimulus, found }) => [stimulus, ...found.map((one) => one.stimulus)])
  const pictures = await readStimuli(workspace.subjects.get(run.subject).folder, names)
  return {
    data: {
      kind: 'retrieval',
      pool,
      n: trials.length,
      trials: chosen.map(({ found, ...trial }) => ({
        ...trial,
        seen: pictures.get(trial.stimulus)!,
        found: found.map((one) => ({ ...one, picture: pictures.get(one.stimulus)! })),
      })),
    },
    provenance: { ...runProvenance(workspace, run), pool },
    caption:
      `Images retrieved from held-out brain patterns, most similar first, among ${pool} distinct images; ` +
      `${chosenWords(source, chosen.length, trials.length)}; split ${runConfig(run).split}. ` +
      'Numbers: cosine similarity of brain and image embedding; frame and tick: the seen image.',
  }
}

/** Where the seen image stands, for every held-out trial. */
export async function gatherRanks(place: GatherPlace, source: PanelOf<'ranks'>['source']): Promise<Gathered> {
  const { workspace } = place
  const run = finishedRun(workspace, source.run)
  const { pool, trials } = await retrieved(place, run.id, 1)
  return {
    data: { kind: 'ranks', pool, ranks: trials.map(({ rank }) => rank) },
    provenance: { ...runProvenance(workspace, run), pool },
    caption: `Rank of the seen image among ${pool} distinct images, for ${trials.length} held-out trials; split ${runConfig(run).split}. Dashed: guessing.`,
  }
}

/** Pictures of a subject by their stimulus' id, each once. */
export async function readStimuli(folder: string, ids: readonly string[]): Promise<Map<string, Image>> {
  const subject = await openSubject(folder)
  try {
    const indexOf = new Map(subject.stimuli.ids.map((id, index) => [id, index]))
    return new Map([...new Set(ids)].map((id) => [id, subject.readImages([indexOf.get(id)!])]))
  } finally {
    subject.close()
  }
}
