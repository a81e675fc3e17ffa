import { spawn } from 'node:child_process'
import { MindEyeError } from '../base/errors.ts'
import { layout } from '../base/layout.ts'
import type { Progress } from '../base/progress.ts'
import type { FromChild, ToChild } from '../base/serve.ts'
import { explainDeath, type Death } from './death.ts'
import { StderrTail } from './stderrTail.ts'

/** The Node binary for child processes: one place, because the packaged app ships its own. */
export function nodeBinary(): string {
  return layout.nodeBinary
}

/**
 * For a process that computes: glibc would return every big array to the system and fault its pages in anew at the next
 * step; kept and in huge pages, writing a weight gradient takes a quarter of the time. Means nothing elsewhere.
 * V8 would let garbage of steps grow to 150 MB before it looks; a small young generation costs no time.
 */
export const engineMemory: Record<string, string> = {
  GLIBC_TUNABLES:
    'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=8589934592:glibc.malloc.arena_max=2',
  NODE_OPTIONS: '--max-semi-space-size=4',
}

/** A map of method name → function type `(params) => result`; see `actions/methods.ts`. */
export type MethodMap<M> = { [K in keyof M]: (params: never) => unknown }
export type ParamsOf<M extends MethodMap<M>, K extends keyof M> = Parameters<M[K]>[0]
export type ResultOf<M extends MethodMap<M>, K extends keyof M> = Awaited<ReturnType<M[K]>>

export interface ChannelOptions {
  /** What the process is called in messages, e.g. `the engine process`. */
  name: string
  /** Absolute path of the entry file. */
  entry: string
  /** The Node binary (default: that of this layout). */
  node?: string
  env?: Record<string, string>
  /** Node's own flags, e.g. `--max-old-space-size=512`. */
  nodeFlags?: string[]
  /** Time between SIGTERM and SIGKILL, ms (default 2000). */
  killGraceMs?: number
  /** Lines that the child printed, TensorFlow's start-up noise left out. */
  onLine?(line: string): void
}

export interface CallOptions {
  signal?: AbortSignal
  onProgress?(report: Progress): void
  /** Kill the process and fail when there is no answer after this many ms. */
  timeoutMs?: number
  /** How long an aborted call may take to answer before its process is killed, ms (default 5000). */
  abortGraceMs?: number
}

/** One child process and typed calls to it. A dead channel stays dead: open another. */
export interface Channel<M extends MethodMap<M>> {
  readonly pid: number | undefined
  readonly alive: boolean
  /** Settles once the process is gone; never rejects. */
  readonly exited: Promise<Death>
  /**
   * Runs `method` in the child. Rejects with the child's own `MindEyeError`, with kind `aborted` when the signal fired, and
   * with a `ProcessDeath` when the process died under it.
   */
  call<K extends keyof M & string>(method: K, params: ParamsOf<M, K>, options?: CallOptions): Promise<ResultOf<M, K>>
  /** SIGTERM, after a grace time SIGKILL; resolves when the process is gone. */
  close(): Promise<void>
}

/** The process died with calls open; everything it wrote to disk so far is kept. */
export class ProcessDeath extends MindEyeError {
  readonly death: Death

  constructor(name: string, death: Death) {
    super({ kind: 'engine', where: name, ...explainDeath(death) })
    this.name = 'ProcessDeath'
    this.death = death
  }
}

interface OpenCall {
  resolve(result: unknown): void
  reject(error: unknown): void
  onProgress?(report: Progress): void
}

/** Starts `entry` as a child process on our Node and returns the channel to it. */
export function openChannel<M extends MethodMap<M>>(options: ChannelOptions): Channel<M> {
  const { name, killGraceMs = 2000 } = options
  const child = spawn(options.node ?? nodeBinary(), [...(options.nodeFlags ?? []), options.entry], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    // A test runner's or debugger's flags are not for the child.
    env: { TF_CPP_MIN_LOG_LEVEL: '3', ...process.env, NODE_OPTIONS: '', ...options.env },
  })
  const tail = new StderrTail(options.onLine)
  child.stderr!.setEncoding('utf8').on('data', (text: string) => tail.write(text))
  child.stdout!.setEncoding('utf8').on('data', (text: string) => tail.write(text))

  const calls = new Map<number, OpenCall>()
  let lastId = 0
  let death: Death | undefined
  let killedFor: string | undefined

  const exited = new Promise<Death>((settle) => {
    const end = (exitCode: number | null, signal: NodeJS.Signals | null, spawnError?: Error) => {
      if (death) return
      death = { exitCode, signal, lastLines: tail.end(), killedFor, spawnError: spawnError?.message }
      for (const call of calls.values()) call.reject(new ProcessDeath(name, death))
      calls.clear()
      settle(death)
    }
    // `close` comes after the pipes are drained, so the last words are complete.
    child.on('close', (code, signal) => end(code, signal))
    child.on('error', (error) => {
      if (child.pid === undefined) end(null, null, error)
    })
  })

  child.on('message', (raw) => {
    const message = raw as FromChild
    const call = calls.get(message.id)
    if (!call) return
    if (message.type === 'progress') {
      call.onProgress?.(message.report)
      return
    }
    calls.delete(message.id)
    if (message.type === 'result') call.resolve(message.result)
    else call.reject(new MindEyeError(message.parts, { cause: message.stack }))
  })

  function send(message: ToChild): void {
    // A failed send means that the child is going; its `close` event rejects the open calls with the reason.
    if (child.connected) child.send(message, () => {})
  }

  function kill(): void {
    if (death) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), killGraceMs)
    void exited.then(() => clearTimeout(timer))
  }

  function kill9(reason: string): void {
    killedFor = reason
    child.kill('SIGKILL')
  }

  async function call(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    const { signal, onProgress, timeoutMs, abortGraceMs = 5000 } = options
    if (signal?.aborted) throw abortedError(name, method)
    if (death) throw new ProcessDeath(name, death)
    const id = ++lastId
    const timers: NodeJS.Timeout[] = []
    const onAbort = () => {
      send({ type: 'abort', id })
      timers.push(
        setTimeout(() => kill9(`${method} did not stop within ${abortGraceMs} ms of being cancelled`), abortGraceMs),
      )
    }
    try {
      return await new Promise<unknown>((resolve, reject) => {
        calls.set(id, { resolve, reject, onProgress })
        signal?.addEventListener('abort', onAbort, { once: true })
        if (timeoutMs !== undefined)
          timers.push(setTimeout(() => kill9(`${method} took longer than its limit of ${timeoutMs} ms`), timeoutMs))
        send({ type: 'call', id, method, params })
      })
    } catch (error) {
      // Whatever an aborted call ends with (its own complaint, a kill), to the caller it is the cancelling that it asked for.
      throw signal?.aborted ? abortedError(name, method, error) : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      timers.forEach(clearTimeout)
    }
  }

  return {
    get pid() {
      return child.pid
    },
    get alive() {
      return death === undefined
    },
    exited,
    call: call as Channel<M>['call'],
    async close() {
      kill()
      await exited
    },
  }
}

function abortedError(name: string, method: string, cause?: unknown): MindEyeError {
  const parts = {
    kind: 'aborted',
    where: name,
    expected: `${method} to finish`,
    found: 'that it was cancelled',
  } as const
  return new MindEyeError(parts, { cause })
}
