import * as v from 'valibot'
import type { RunPlace } from '../retrieval/repeats.ts'
import type { RunRecord, Workspace } from '../workspace/index.ts'
import { runConfig } from './train.ts'

/** A finished run as the engine takes it. */
export function runPlace(workspace: Workspace, run: RunRecord): RunPlace {
  const { training, split, seed } = runConfig(run)
  const subjectFolder = workspace.subjects.get(run.subject).folder
  return { runFolder: workspace.runs.folderOf(run.id), subjectFolder, config: training, split, seed }
}

export const repeatsField = v.optional(
  v.pipe(
    v.picklist(['average', 'single']),
    v.description(
      'held-out patterns: the mean of an image’s repeats, or every trial by itself (default: as it was trained)',
    ),
  ),
)
