import { MindEyeError } from '../base/errors.ts'
import type { RunRecord, Workspace } from '../workspace/index.ts'
import { isResumable } from '../workspace/records.ts'

/** The record of a run that is done; a run in any other state has no decoder to ask yet, which the error says. */
export function finishedRun(workspace: Workspace, id: string): RunRecord {
  const run = workspace.runs.get(id)
  if (run.state === 'done') return run
  throw new MindEyeError({
    kind: 'state',
    where: id,
    expected: 'a finished run',
    found: `that it is ${run.state}`,
    fix: isResumable(run.state)
      ? `Finish it with \`${resumeCommand(workspace, id)}\`.`
      : 'Wait until its training is done.',
  })
}

/** What to type to go on with a run. */
export const resumeCommand = (workspace: Workspace, id: string): string =>
  `mindeye train --workspace ${quote(workspace.path)} --resume ${id}`

/** A path as a shell takes it. */
export function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
