import * as v from 'valibot'
import { existsSync } from 'node:fs'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import { metricNetworks } from '../evaluation/metricPack.ts'
import type { MissingMetrics } from '../evaluation/metricPack.ts'
import { keptReconstructionValues } from '../evaluation/reconstructionScores.ts'
import type { ReconstructionsJob } from '../evaluation/reconstructionScores.ts'
import { findSet, listSets } from '../reconstruction/sets.ts'
import type { Kind, SetRecord } from '../reconstruction/sets.ts'
import type { Repeats } from '../retrieval/repeats.ts'
import type { RunRecord, Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { quote } from './finishedRun.ts'
import { choosePack } from './runPack.ts'
import { runConfig } from './train.ts'

export const setField = v.optional(
  v.pipe(
    v.string(),
    v.description('id of the set of reconstructions (default: of those made with all areas the one with most trials)'),
  ),
)
export const metricPackField = v.optional(
  v.pipe(v.string(), v.description('id of the pack with the networks of the metrics (default: the pack of the run)')),
)

export interface AskedSet {
  kind: Kind
  set?: string
  /** Of the patterns that pictures were made from (default: whichever). */
  repeats?: Repeats
  pack?: string
  seed: number
}

/** A run's reconstructions of one kind, ready to be scored, with the metrics that lack their networks. */
export interface ChosenSet {
  job: ReconstructionsJob
  missing: MissingMetrics[]
}

/** The reconstructions asked for; in words why there are none and how they are made. A set that is named must be there. */
export function chooseSet(workspace: Workspace, run: RunRecord, asked: AskedSet): ChosenSet | string {
  const { kind, seed } = asked
  const runFolder = workspace.runs.folderOf(run.id)
  const sets = listSets(runFolder)
  const named = asked.set === undefined ? undefined : findSet(runFolder, asked.set)
  if (named) checkKind(named, kind)
  const [fullest] = sets
    .filter((set) => set.kinds.includes(kind) && set.trials.length && !set.settings.without)
    .filter((set) => asked.repeats === undefined || asked.repeats === repeatsOf(set))
    .sort((a, b) => b.trials.length - a.trials.length)
  const set = named ?? fullest
  const command = `\`mindeye reconstruct --workspace ${quote(workspace.path)} --run ${run.id}\``
  if (!set) {
    const there = [...new Set(sets.flatMap((candidate) => candidate.kinds))]
    return there.length
      ? `no reconstructions of kind ${kind} (there are ${there.join(', ')}); ${command} makes them`
      : `no reconstructions yet; ${command} makes them`
  }
  const subjectFolder = workspace.subjects.get(run.subject).folder
  const { networks, missing } = metricNetworks(packFolder(workspace, run, asked.pack))
  return { job: { runFolder, subjectFolder, set, kind, seed, networks }, missing }
}

/** Of the patterns that a set's pictures were made from, where it says so. */
export const repeatsOf = ({ settings }: SetRecord): Repeats | undefined => settings.repeats as Repeats | undefined

function checkKind(set: SetRecord, kind: Kind): void {
  if (set.kinds.includes(kind)) return
  throw new MindEyeError({
    kind: 'input',
    where: `set ${set.id}`,
    expected: `one of its kinds, ${set.kinds.join(', ')}`,
    found: kind,
    fix: 'Choose another --kind, or another --set.',
  })
}

/** A pack of the run that is not there any more takes its metrics with it, but not the others. */
function packFolder(workspace: Workspace, run: RunRecord, asked: string | undefined): string | undefined {
  if (asked !== undefined) return choosePack(workspace, asked).folder
  const folder = runConfig(run).pack?.folder
  return folder !== undefined && existsSync(folder) ? folder : undefined
}

/** Makes sure that a set is scored: minutes where it is not, in an engine of its own, so that questions are still answered. */
export async function scoreSet(
  ctx: ActionContext,
  { job }: ChosenSet,
  { signal, progress }: RunOptions,
): Promise<void> {
  if (keptReconstructionValues(job)) return
  const engine = ctx.ownEngine()
  try {
    await engine.call('scoreReconstructions', job, { signal, onProgress: progress })
  } finally {
    await engine.close()
  }
}
