import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import { defaultPack, presetConfig } from '../training/presets.ts'
import type { RunRecord, Workspace } from '../workspace/index.ts'
import { isResumable } from '../workspace/records.ts'
import type { ActionContext } from './action.ts'
import { runConfig, trainAction } from './train.ts'

/** A training that is wanted, by what determines it. */
export interface WantedRun {
  subject: string
  preset: string
  /** Options of the preset that are changed, by name. */
  set: Record<string, string>
  split: string
  seed: number
  pack?: string
}

/** The run of this very training that there is already: finished if possible, else one to go on with, else one at work. */
export function findRun(workspace: Workspace, wanted: WantedRun): RunRecord | undefined {
  const asked = presetConfig(wanted.preset, wanted.set)
  const training = JSON.stringify(asked)
  const wantedPack = wanted.pack ?? defaultPack(wanted.preset, asked)
  const runs = workspace.runs.list().filter((run) => {
    const { training: own, split, seed, pack } = runConfig(run)
    const isSame = run.subject === wanted.subject && split === wanted.split && seed === wanted.seed
    return isSame && pack?.id === wantedPack && JSON.stringify(own) === training
  })
  return runs.find(({ state }) => state === 'done') ?? runs.find(({ state }) => isResumable(state)) ?? runs[0]
}

/** Id of the finished run of a training: one that is there, an interrupted one that goes on, or a new one. Throws a state error when it is at work elsewhere. */
export async function ensureRun(
  ctx: ActionContext,
  workspace: Workspace,
  wanted: WantedRun,
  options: RunOptions,
): Promise<string> {
  const found = findRun(workspace, wanted)
  if (found?.state === 'done') return found.id
  if (found && !isResumable(found.state))
    throw new MindEyeError({
      kind: 'state',
      where: workspace.path,
      expected: 'that nobody else trains this',
      found: `the run ${found.id}, which is ${found.state}`,
      fix: 'Wait for it, or stop it and ask again.',
    })
  if (found) ctx.log(`goes on with ${found.id}`)
  const { set, ...rest } = wanted
  const changed = Object.entries(set).map(([name, value]) => `${name}=${value}`)
  const input = found
    ? { workspace: workspace.path, preset: wanted.preset, seed: wanted.seed, resume: found.id }
    : { workspace: workspace.path, ...rest, set: changed }
  return (await trainAction.run(ctx, input, options)).run
}
