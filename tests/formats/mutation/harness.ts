/**
 * Runs a reader on mutated files in a child process, so that a crash or a hang is seen and survived.
 *
 * To add a format, put a file into `formats/` (see `mutations.ts`). Each of its 1,000 files must end as
 * - `typed`: a MindEyeError whose parts name file, field, what was expected and what was found, or
 * - `correct`: arrays whose shapes hold their data and, where only element bytes were changed, only those elements differ.
 * Everything else fails: `untyped` and `vague` errors, `wrong` data, `crash`, `hang` (2 s, seen twice, since this machine may be busy)
 * and `memory`: more asked for, or a resident set grown by more, than the file's size (times the stated expansion) and 64 MiB.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Kind } from './mutations.ts'

export interface Reply {
  kind: Kind
  outcome: 'ready' | 'typed' | 'correct' | 'untyped' | 'vague' | 'wrong' | 'memory' | 'crash' | 'hang'
  detail?: string
  /** Bytes by which the resident set's peak grew. */
  grown?: number
}
export interface Summary {
  /** `outcome` → count, and the same for each kind of mutation. */
  outcomes: Record<string, number>
  byKind: Record<string, Record<string, number>>
  failures: { index: number; kind: string; outcome: string; detail?: string }[]
  /** Largest growth of the peak resident set by one file, bytes. */
  grown: number
  seconds: number
}

const memoryBound = 64 * 2 ** 20
const timeLimit = 2_000
const startLimit = 60_000

/** Tries mutations `from` to `to - 1` of the format whose module lies at `modulePath`; the same seed makes the same files. */
export async function runMutations(modulePath: string, to: number, seed = 1, from = 0): Promise<Summary> {
  const began = performance.now()
  const summary: Summary = { outcomes: {}, byKind: {}, failures: [], grown: 0, seconds: 0 }
  let child = await start(modulePath, seed)
  for (let index = from; index < to; index++) {
    let reply = await ask(child, index)
    for (let attempt = 0; reply.outcome === 'hang' || reply.outcome === 'crash'; attempt++) {
      child = await start(modulePath, seed)
      if (attempt || reply.outcome === 'crash') break
      reply = await ask(child, index)
    }
    const { kind, outcome, detail, grown = 0 } = reply
    summary.outcomes[outcome] = (summary.outcomes[outcome] ?? 0) + 1
    const row = (summary.byKind[kind] ??= {})
    row[outcome] = (row[outcome] ?? 0) + 1
    summary.grown = Math.max(summary.grown, grown)
    if (outcome !== 'typed' && outcome !== 'correct') summary.failures.push({ index, kind, outcome, detail })
  }
  child.kill('SIGKILL')
  summary.seconds = (performance.now() - began) / 1000
  return summary
}

async function start(modulePath: string, seed: number): Promise<ChildProcess> {
  const child = fork(new URL('child.ts', import.meta.url), [modulePath, String(seed), String(memoryBound)], {
    // The heap is bounded so that a reader which piles up objects dies here rather than slowing the machine.
    execArgv: ['--max-old-space-size=256', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let complaint = ''
  child.stderr?.on('data', (piece: Buffer) => (complaint = (complaint + piece.toString()).slice(-2000)))
  complaints.set(child, () => complaint)
  const reply = await next(child, startLimit)
  if (reply.outcome !== 'ready') throw new Error(`${modulePath} did not start: ${reply.detail}`)
  return child
}

const complaints = new WeakMap<ChildProcess, () => string>()

function ask(child: ChildProcess, index: number): Promise<Reply> {
  const reply = next(child, timeLimit)
  child.send(index, () => {}) // a child that is gone shows by its exit
  return reply.then((answer) => (answer.kind ? answer : { ...answer, kind: index % 2 ? 'bytes' : 'structure' }))
}

/** The child's next message, or what became of it; a child that hangs is killed. */
async function next(child: ChildProcess, limit: number): Promise<Reply> {
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), limit)
  const kind: Kind = 'bytes'
  try {
    return await Promise.race([
      once(child, 'message', { signal: stop.signal }).then(([reply]) => reply as Reply),
      once(child, 'close', { signal: stop.signal }).then(([code, signal]): Reply => ({
        kind,
        outcome: 'crash',
        detail: `exit code ${code}, signal ${signal}: ${complaints.get(child)?.()}`,
      })),
    ])
  } catch {
    child.kill('SIGKILL')
    return { kind, outcome: 'hang', detail: `no answer within ${limit} ms` }
  } finally {
    clearTimeout(timer)
    stop.abort()
  }
}
