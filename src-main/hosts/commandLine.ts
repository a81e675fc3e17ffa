import { CommanderError } from 'commander'
import type { Action } from '../actions/action.ts'
import { createContext } from '../actions/context.ts'
import { toMindEyeError } from '../base/failure.ts'
import { validateInput } from '../actions/validate.ts'
import { MindEyeError } from '../base/errors.ts'
import { buildProgram, optionName, UsageError } from './commands.ts'
import { Terminal } from './terminal.ts'

/**
 * The actions as commands. stdout carries the result only (with --json its last line is one JSON document), everything else
 * goes to stderr. Exit codes: 0, 1 the action failed, 2 the command was wrong, 130 and 143 it was stopped by a signal.
 */
export async function main(actions: readonly Action[], args: string[]): Promise<number> {
  // Before parsing, since a wrong command line must be answered in JSON, too.
  const json = args.includes('--json')
  const terminal = new Terminal()
  try {
    const call = await readCommand(actions, args)
    if (!call) return 0
    return await runCommand(call.action, call.input, json, terminal)
  } catch (error) {
    terminal.end()
    return report(error, json)
  }
}

/** The action and its valid input; undefined when help was printed instead. Throws a `UsageError`. */
export async function readCommand(
  actions: readonly Action[],
  args: string[],
): Promise<{ action: Action; input: unknown } | undefined> {
  let call: { action: Action; input: Record<string, unknown> } | undefined
  const words = args.filter((arg) => arg !== '--json')
  try {
    const program = buildProgram(actions, (action, input) => (call = { action, input }))
    await program.parseAsync(words.length ? words : ['help'], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return undefined
    throw error
  }
  if (!call) return undefined
  const { action, input } = call
  try {
    return { action, input: await validateInput(action, input, (field) => optionName(action, field)) }
  } catch (error) {
    const { parts } = error as MindEyeError
    throw new UsageError(new MindEyeError({ ...parts, fix: parts.fix ?? `See \`mindeye ${action.name} --help\`.` }))
  }
}

async function runCommand(action: Action, input: unknown, json: boolean, terminal: Terminal): Promise<number> {
  const ctx = createContext((line) => terminal.log(line))
  const stop = stopOnSignals(terminal)
  try {
    const { signal } = stop
    const result = await action.run(ctx, input, { signal, progress: (progress) => terminal.progress(progress) })
    terminal.end()
    const text = json || !action.format ? JSON.stringify(result) : action.format(result)
    process.stdout.write(`${text}\n`)
    return action.exitCode?.(result) ?? 0
  } catch (error) {
    if (!stop.signal.aborted) throw error
    terminal.end()
    report(toMindEyeError(error), json)
    return stop.exitCode()
  } finally {
    stop.release()
    await ctx.close()
  }
}

/** The first Ctrl-C asks the action to stop and keep what it has; the second ends everything at once. */
function stopOnSignals(terminal: Terminal) {
  const controller = new AbortController()
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  let exitCode = 130
  const onSignal = (name: NodeJS.Signals) => {
    exitCode = codes[name as keyof typeof codes]
    // Child processes notice that we are gone and end as well.
    if (controller.signal.aborted) process.exit(exitCode)
    terminal.log('stopping (once more to stop at once) …')
    controller.abort()
  }
  for (const name of Object.keys(codes)) process.on(name, onSignal)
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    release: () => Object.keys(codes).forEach((name) => process.off(name, onSignal)),
  }
}

/** Tells an error and returns the exit code. */
function report(raw: unknown, json: boolean): number {
  const isUsage = raw instanceof UsageError
  const error = toMindEyeError(isUsage ? raw.cause : raw)
  const { where, field, expected, found, fix } = error.parts
  const place = [where, field].filter(Boolean).join(', ')
  if (error.parts.kind === 'aborted') process.stderr.write('stopped\n')
  else
    process.stderr.write(
      `error: ${place ? `${place}: ` : ''}expected ${expected}, found ${found}\n${fix ? `  fix: ${fix}\n` : ''}`,
    )
  const stack = error.cause instanceof Error && !(error.cause instanceof MindEyeError) ? error.cause.stack : error.cause
  // The child processes send the stack of a fault of theirs as text.
  if (typeof stack === 'string' && error.parts.kind === 'engine') process.stderr.write(`${stack}\n`)
  if (json) process.stdout.write(`${JSON.stringify({ error: { ...error.parts, message: error.message } })}\n`)
  return isUsage ? 2 : 1
}
