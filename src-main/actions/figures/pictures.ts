import type { Image } from '../../formats/images.ts'
import type { PanelOf } from '../../figures/document.ts'
import { METRIC_VERSION } from '../../evaluation/metrics.ts'
import { MindEyeError } from '../../base/errors.ts'
import { findSet, kinds, readPicture, readTrial } from '../../reconstruction/sets.ts'
import type { FloatPicture } from '../../reconstruction/sets.ts'
import { finishedRun } from '../finishedRun.ts'
import { chooseSet } from '../reconstructed.ts'
import { runConfig } from '../train.ts'
import { chooseTrials, chosenWords, runProvenance } from './gather.ts'
import type { Gathered, GatherPlace } from './gather.ts'
import { readStimuli } from './retrieved.ts'

const SHOWN = 10
const names = { low: 'low-level', high: 'high-level', combined: 'combined' } as const

/** What was seen beside its reconstructions. */
export async function gatherReconstruction(
  { workspace }: GatherPlace,
  source: PanelOf<'reconstruction'>['source'],
): Promise<Gathered> {
  const run = finishedRun(workspace, source.run)
  const runFolder = workspace.runs.folderOf(run.id)
  const found = source.set
    ? findSet(runFolder, source.set)
    : [...kinds].reverse().map((kind) => chooseSet(workspace, run, { kind, seed: 42 }))
  const set = Array.isArray(found) ? found.find((one) => typeof one !== 'string')?.job.set : found
  if (!set)
    throw new MindEyeError({
      kind: 'state',
      where: run.id,
      expected: 'reconstructions',
      found: 'none',
      fix: 'Make them with `mindeye reconstruct`.',
    })
  const shown = kinds.filter((kind) => set.kinds.includes(kind) && (source.rows ?? kinds).includes(kind))
  const all = set.trials.map((trial) => ({ trial }))
  const chosen = chooseTrials(all, source, SHOWN).map(({ trial }) => readTrial(set, trial))
  const stimuli = await readStimuli(
    workspace.subjects.get(run.subject).folder,
    chosen.map(({ stimulus }) => stimulus),
  )
  return {
    data: {
      kind: 'reconstruction',
      rows: ['seen', ...shown],
      n: all.length,
      trials: chosen.map(({ trial, stimulus }) => ({
        trial,
        stimulus,
        pictures: {
          seen: stimuli.get(stimulus)!,
          ...Object.fromEntries(shown.map((kind) => [kind, toImage(readPicture(set, trial, kind))])),
        },
      })),
    },
    provenance: { ...runProvenance(workspace, run), set: set.id, metricVersion: METRIC_VERSION },
    caption:
      `Seen images and their reconstructions from held-out brain patterns (${shown.map((kind) => names[kind]).join(', ')}); ` +
      `${chosenWords(source, chosen.length, all.length)}; split ${runConfig(run).split}.`,
  }
}

const toImage = ({ height, width, data }: FloatPicture): Image => ({
  height,
  width,
  channels: 3,
  data: Uint8Array.from(data, (value) => Math.round(255 * value)),
})
