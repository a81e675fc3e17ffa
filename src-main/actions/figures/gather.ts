import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { RunOptions } from '../../base/progress.ts'
import type { PanelKind, PanelOf } from '../../figures/document.ts'
import type { Panel } from '../../figures/document.ts'
import type { PanelData } from '../../figures/panels/index.ts'
import type { PanelProvenance } from '../../figures/provenance.ts'
import { listSets } from '../../reconstruction/sets.ts'
import { readManifest } from '../../subjects/subject.ts'
import type { RunRecord, Workspace } from '../../workspace/index.ts'
import type { ActionContext } from '../action.ts'
import { finishedRun } from '../finishedRun.ts'
import { runConfig } from '../train.ts'
import { gatherCortex, surfacesChanged } from './cortex.ts'
import { gatherInsights } from './insights.ts'
import { gatherRanks, gatherRetrieval } from './retrieved.ts'
import { gatherReconstruction } from './pictures.ts'
import { gatherComparison } from './comparison.ts'
import { gatherScores } from './scores.ts'
import { gatherTraining } from './training.ts'

/** Everything that a panel shows, with where it comes from and a caption that says what a reader must know. */
export interface Gathered {
  data: PanelData
  provenance: PanelProvenance
  caption: string
}

export interface GatherPlace {
  ctx: ActionContext
  workspace: Workspace
  options: RunOptions
}

type Gather<K extends PanelKind> = (place: GatherPlace, source: PanelOf<K>['source']) => Promise<Gathered>

const gatherers: { [K in PanelKind]: Gather<K> } = {
  retrieval: gatherRetrieval,
  ranks: gatherRanks,
  reconstruction: gatherReconstruction,
  cortex: gatherCortex,
  scores: gatherScores,
  comparison: gatherComparison,
  training: gatherTraining,
  insights: gatherInsights,
}

/** The present data of a panel; throws an input or state error where its source has none. */
export const gather = (place: GatherPlace, { kind, source }: Panel): Promise<Gathered> =>
  (gatherers[kind] as (place: GatherPlace, from: Panel['source']) => Promise<Gathered>)(place, source)

/** Changes whenever a panel's source may say something else; reads no data. Throws for a run or job that is not there. */
export function fingerprintOf(workspace: Workspace, { kind, source }: Panel): string {
  const parts: unknown[] = [kind, source]
  if ('job' in source) parts.push(workspace.jobs.get(source.job).finished)
  if ('subject' in source) parts.push(surfacesChanged(workspace, source.subject))
  const runs = 'runs' in source ? source.runs : 'run' in source && source.run !== undefined ? [source.run] : []
  for (const id of runs) {
    const run = finishedRun(workspace, id)
    const sets = listSets(workspace.runs.folderOf(run.id)).map(({ id, trials }) => [id, trials.length])
    parts.push(run.finished, sets)
  }
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

/** What is known of a run, for the figure's provenance. */
export function runProvenance(workspace: Workspace, run: RunRecord): PanelProvenance {
  const { split, seed } = runConfig(run)
  const { sources } = readManifest(workspace.subjects.get(run.subject).folder)
  return {
    run: run.id,
    subject: run.subject,
    preset: run.preset,
    split,
    seed,
    backend: run.config.backend,
    inputs: sources.map(({ path, fingerprint }) => ({ name: basename(path), fingerprint })),
  }
}

/** Those with the given numbers; or `count` evenly spaced ones, so that nobody picks the best. */
export function chooseTrials<T extends { trial: number }>(
  all: readonly T[],
  { trials, show }: { trials?: readonly number[]; show?: number },
  count: number,
): T[] {
  if (trials?.length) return trials.flatMap((trial) => all.filter((one) => one.trial === trial))
  const shown = Math.min(show ?? count, all.length)
  return Array.from({ length: shown }, (_, i) => all[Math.floor((i * all.length) / shown)])
}

/** How trials were chosen, for captions. */
export const chosenWords = ({ trials }: { trials?: readonly number[] }, shown: number, all: number): string =>
  trials?.length
    ? `${shown} chosen trials of ${all}`
    : shown < all
      ? `${shown} of ${all} trials, evenly spaced`
      : `all ${all} trials`
