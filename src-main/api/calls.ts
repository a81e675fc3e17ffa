import type * as v from 'valibot'
import type { Action } from '../actions/action.ts'
import { runJob } from '../actions/job.ts'
import { validateInput } from '../actions/validate.ts'
import { MindEyeError } from '../base/errors.ts'
import { ownerState, thisProcess } from '../base/owner.ts'
import type { RunOptions } from '../base/progress.ts'
import type { Json, JsonObject } from '../workspace/index.ts'
import type { Services } from './services.ts'

/** The actions as a page calls them: the workspace is ours, and paths are handles of what its user picked. */
export class Calls {
  private readonly services: Services
  private readonly controllers = new Map<number, AbortController>()
  private readonly atWork = new Set<Promise<unknown>>()

  constructor(services: Services) {
    this.services = services
  }

  /** Runs an action and waits for its result; the signal is that of the request. */
  async run(action: Action, raw: Record<string, unknown>, signal: AbortSignal): Promise<unknown> {
    const input = await this.inputOf(action, raw)
    return action.run(this.services.ctx, input, { signal, progress: () => {} })
  }

  /** Starts an action as a job and answers with its number as soon as it has one; what is wrong before that rejects. */
  async start(action: Action, raw: Record<string, unknown>): Promise<{ job: number }> {
    const { workspace, ctx, events } = this.services
    const input = await this.inputOf(action, raw)
    const controller = new AbortController()
    return new Promise((resolve, reject) => {
      let job: number | undefined
      const options: RunOptions = {
        signal: controller.signal,
        progress: (report) => {
          if (job !== undefined) events.emit('progress', { job, report })
        },
        started: (id) => {
          job = id
          this.controllers.set(id, controller)
          resolve({ job: id })
        },
      }
      const spec = { action: action.name, input: plainInput(raw) }
      const work = action.ownJob
        ? action.run(ctx, input, options)
        : runJob(workspace, spec, options, (own) => action.run(ctx, input, own.options))
      const done = work
        .then(() => {
          if (job === undefined) reject(new Error(`${action.name} is no work for a job`))
        }, reject)
        .finally(() => {
          this.atWork.delete(done)
          if (job !== undefined) this.controllers.delete(job)
        })
      this.atWork.add(done)
    })
  }

  /** Asks a job to stop; a command in another terminal is asked as by Ctrl-C. */
  cancel(id: number): void {
    const controller = this.controllers.get(id)
    if (controller) return controller.abort()
    const { state, owner } = this.services.workspace.jobs.get(id)
    const isOthers = owner.pid !== thisProcess().pid && ownerState(owner) === 'alive'
    if ((state === 'running' || state === 'queued') && isOthers) process.kill(owner.pid, 'SIGTERM')
  }

  /** Stops everything and waits until it has kept what it has. */
  async close(): Promise<void> {
    for (const controller of this.controllers.values()) controller.abort()
    await Promise.allSettled(this.atWork)
  }

  private inputOf(action: Action, raw: Record<string, unknown>): Promise<v.InferOutput<Action['input']>> {
    const { workspace, picked } = this.services
    const input: Record<string, unknown> = { ...raw }
    for (const [name, schema] of Object.entries(action.input.entries)) {
      const kind = pathKind(schema as unknown as Shape)
      if (kind && input[name] !== undefined)
        input[name] = Array.isArray(input[name])
          ? input[name].map((value) => toPath(value, kind, picked.resolve.bind(picked)))
          : toPath(input[name], kind, picked.resolve.bind(picked))
    }
    if ('workspace' in action.input.entries) input.workspace = workspace.path
    return validateInput(action, input)
  }
}

/** The parts of a schema in which the metadata of `pathField` may be. */
interface Shape {
  wrapped?: Shape
  item?: Shape
  pipe?: readonly { type: string; metadata?: { path?: true | 'id' } }[]
}

function pathKind({ wrapped, item, pipe }: Shape): true | 'id' | undefined {
  const own = pipe?.find(({ metadata }) => metadata?.path)?.metadata?.path
  return own ?? (wrapped && pathKind(wrapped)) ?? (item && pathKind(item))
}

function toPath(value: unknown, kind: true | 'id', resolve: (handle: string) => string): unknown {
  if (typeof value !== 'string') return value
  const isId = kind === 'id' && /^[\w.-]+$/.test(value) && !value.startsWith('.')
  return isId ? value : resolve(value)
}

/** What a page sent, for the job's row. */
function plainInput(raw: Record<string, unknown>): JsonObject {
  try {
    return JSON.parse(JSON.stringify(raw)) as { [key: string]: Json }
  } catch {
    throw new MindEyeError({ kind: 'input', where: 'the input', expected: 'plain data', found: 'something else' })
  }
}
