import * as v from 'valibot'
import type { RunOptions } from '../base/progress.ts'
import type { Channel } from '../engine/channel.ts'
import type { Workspace } from '../workspace/index.ts'
import type { EngineMethods, ReaderMethods } from './methods.ts'

/** An object schema, piped (for checks over several fields) or not: either way its fields are in `entries`. */
export type InputSchema = v.GenericSchema & { readonly entries: v.ObjectEntries }

/** What an action reaches of the outside; built by a host, which also closes what was opened. */
export interface ActionContext {
  /** Opens the workspace folder (once per path); `create` makes a missing one, else a missing one is a `MindEyeError`. */
  workspace(path: string, options?: { create?: boolean }): Promise<Workspace>
  /** The engine process, started on first use and again after a death. */
  engine(): Channel<EngineMethods>
  /** An engine process of the caller's own, for work of minutes or hours beside which others still get answers; the caller closes it. */
  ownEngine(): Channel<EngineMethods>
  /** The killable process that parses files nobody has vouched for; started on first use and again after a death. */
  reader(): Channel<ReaderMethods>
  /** One line for the human: stderr of the CLI, or the job's log. */
  log(line: string): void
}

/**
 * One thing a researcher does. The CLI command (options, help) and the API procedure are both derived from this, so each
 * field of `input` carries a `v.description()`. A field that holds paths carries `pathField`, since a page may not name paths.
 */
export interface Action<S extends InputSchema = InputSchema, R = unknown, N extends string = string> {
  /** The command's word, e.g. `import`. */
  name: N
  /** One sentence for the list of commands. */
  summary: string
  input: S
  /** Fields given on the command line without their name, in order; an array field comes last and takes the rest. */
  positional?: readonly string[]
  /** Its work is a job of the workspace of its own making (`runJob`); what is asked of other actions is one only where a host makes it one. */
  ownJob?: boolean
  /** Must return plain data (JSON): it is printed, sent to the page and kept with the job. */
  run(ctx: ActionContext, input: v.InferOutput<S>, options: RunOptions): Promise<R>
  /** The result as text for a terminal; without it the CLI prints the JSON. */
  format?(result: R): string
  /** The exit code the CLI ends with after a result (default 0), e.g. 1 when `doctor` found a broken engine. */
  exitCode?(result: R): number
}

/** Metadata of a field that holds one or more paths; `id` when it may be the id of something in the workspace instead. */
export const pathField = <T>(also?: 'id'): v.MetadataAction<T, { path: true | 'id' }> =>
  v.metadata({ path: also ?? true })

/** Types an action by its schema; adds nothing at run time. */
export function defineAction<S extends InputSchema, R, const N extends string>(
  action: Action<S, R, N> & { positional?: readonly (keyof v.InferOutput<S> & string)[] },
): Action<S, R, N> {
  return action
}
