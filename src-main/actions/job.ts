import type { RunOptions } from '../base/progress.ts'
import { ProcessDeath } from '../engine/channel.ts'
import type { Json, NewJob, Workspace } from '../workspace/index.ts'
import { toMindEyeError } from '../base/failure.ts'

/** What the body of a job works with. */
export interface Job {
  readonly id: number
  /** The caller's signal; progress that also goes to the job's row. */
  readonly options: RunOptions
  /** Takes a queued or resumable run for this job; the run ends with the job and in the same state. */
  claim(run: string): void
  log(line: string): void
}

/**
 * Runs `body` as a job of the workspace, so that a restart and other windows see what happens: done, failed (with the error),
 * cancelled (by the signal), or interrupted (the engine process died). A death of this very process is noticed by whoever
 * looks next. The result, plain data, is kept with the job. Rejects with what `body` rejected with.
 */
export async function runJob<R>(
  workspace: Workspace,
  spec: NewJob,
  { signal, progress, started }: RunOptions,
  body: (job: Job) => Promise<R>,
): Promise<R> {
  const { id } = workspace.jobs.add(spec)
  let claimed: string | undefined
  const job: Job = {
    id,
    options: {
      signal,
      progress(report) {
        workspace.jobs.report(id, report)
        progress(report)
      },
    },
    claim(run) {
      workspace.runs.claim(run)
      claimed = run
      workspace.jobs.setRun(id, run)
    },
    log: (line) => workspace.jobs.log(id, line),
  }
  workspace.jobs.start(id)
  started?.(id)
  try {
    const result = await body(job)
    if (claimed) workspace.runs.finish(claimed, 'done')
    workspace.jobs.finish(id, 'done', { result: (result ?? null) as Json })
    return result
  } catch (error) {
    const { parts } = toMindEyeError(error)
    const isAborted = signal.aborted || parts.kind === 'aborted'
    const state = isAborted ? 'cancelled' : error instanceof ProcessDeath ? 'interrupted' : 'failed'
    if (claimed) workspace.runs.finish(claimed, state, isAborted ? undefined : parts)
    workspace.jobs.finish(id, state, isAborted ? {} : { error: parts })
    throw error
  }
}
