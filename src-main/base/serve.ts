import { Worker } from 'node:worker_threads'
import { MindEyeError, type ErrorParts } from './errors.ts'
import { toMindEyeError } from './failure.ts'
import type { Progress, RunOptions } from './progress.ts'

/** Messages of a channel (see `engine/channel.ts` for the parent's side). `id` names the call. */
export type ToChild = { type: 'call'; id: number; method: string; params: unknown } | { type: 'abort'; id: number }
export type FromChild =
  | { type: 'progress'; id: number; report: Progress }
  | { type: 'result'; id: number; result: unknown }
  | { type: 'error'; id: number; parts: ErrorParts; stack?: string }

/** A handler per method of `M`. Long ones must await now and then (`setImmediate`), or an abort cannot reach them. */
export type Handlers<M extends { [K in keyof M]: (params: never) => unknown }> = {
  [K in keyof M]: (
    params: Parameters<M[K]>[0],
    options: RunOptions,
  ) => Awaited<ReturnType<M[K]>> | Promise<Awaited<ReturnType<M[K]>>>
}

/**
 * Answers calls of the parent process with `handlers` until the parent hangs up, then exits: a child never outlives the
 * process that asked for it.
 */
export function serve<M extends { [K in keyof M]: (params: never) => unknown }>(handlers: Handlers<M>): void {
  if (!process.send) {
    throw new MindEyeError({
      kind: 'state',
      where: process.argv[1],
      expected: 'to be started by the app with an ipc channel',
      found: 'a start by hand',
      fix: 'Use the mindeye command instead.',
    })
  }
  const table = handlers as unknown as Record<string, (params: unknown, options: RunOptions) => unknown>
  const open = new Map<number, AbortController>()
  const send = (message: FromChild) => {
    if (process.connected) process.send!(message)
  }

  process.on('disconnect', () => process.exit(0))
  watchParent()
  // Ctrl-C in a terminal reaches the whole group, but stopping tidily is the parent's call.
  process.on('SIGINT', () => {})
  process.on('message', (raw) => {
    const message = raw as ToChild
    if (message.type === 'abort') open.get(message.id)?.abort()
    else void answer(message)
  })

  async function answer({ id, method, params }: ToChild & { type: 'call' }): Promise<void> {
    const controller = new AbortController()
    open.set(id, controller)
    try {
      const handler = Object.hasOwn(table, method) ? table[method] : undefined
      if (!handler) throw new Error(`no handler for the method ${method}`)
      const progress = (report: Progress) => send({ type: 'progress', id, report })
      send({ type: 'result', id, result: await handler(params, { signal: controller.signal, progress }) })
    } catch (error) {
      // An error with parts explains itself; of any other, whoever mends it wants the stack.
      const stack = error instanceof Error && !(error instanceof MindEyeError) ? error.stack : undefined
      send({ type: 'error', id, parts: errorParts(error, method), stack })
    } finally {
      open.delete(id)
    }
  }
}

/** What a user can mend crosses as such; anything else is a fault of the engine, told as it came. */
function errorParts(error: unknown, method: string): ErrorParts {
  const { parts } = toMindEyeError(error)
  if (error instanceof MindEyeError) return parts
  if (parts.kind !== 'engine') return { ...parts, where: parts.where ?? method }
  return { kind: 'engine', where: method, expected: parts.expected, found: parts.found }
}

/** A handler in an endless loop never sees the parent hang up; a thread beside it does, within a second. */
function watchParent(): void {
  // The parent is named from here: by the time the thread runs, there may be another.
  const code = `
    const parent = require('node:worker_threads').workerData
    const gone = () => { try { process.kill(parent, 0); return process.ppid !== parent } catch { return true } }
    setInterval(() => gone() && process.kill(process.pid, 'SIGKILL'), 1000)`
  new Worker(code, { eval: true, execArgv: [], workerData: process.ppid }).unref()
}
