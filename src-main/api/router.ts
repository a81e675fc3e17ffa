import { initTRPC, TRPCError } from '@trpc/server'
import type { TRPCMutationProcedure } from '@trpc/server'
import * as v from 'valibot'
import type { Action } from '../actions/action.ts'
import { actions, type ActionMap } from '../actions/index.ts'
import type { ErrorParts } from '../base/errors.ts'
import { toMindEyeError } from '../base/failure.ts'
import type { Calls } from './calls.ts'
import type { Services } from './services.ts'

export interface RouterContext extends Services {
  calls: Calls
}

const t = initTRPC.context<RouterContext>().create({
  errorFormatter: ({ shape, error }) => ({
    ...shape,
    data: { code: shape.data.code, parts: partsOf(error) },
  }),
})

/** What was expected, found and can be done; errors of the transport itself have no such parts. */
function partsOf(error: TRPCError): ErrorParts | undefined {
  return error.cause ? toMindEyeError(error.cause).parts : undefined
}

/** An action as the page calls it; the workspace is the app's. */
type Call<A extends ActionMap[keyof ActionMap]> = {
  input: Omit<v.InferInput<A['input']>, 'workspace'>
  output: Awaited<ReturnType<A['run']>>
}
type Run<A extends ActionMap[keyof ActionMap]> = TRPCMutationProcedure<Call<A> & { meta: unknown }>
type Start<A extends ActionMap[keyof ActionMap]> = TRPCMutationProcedure<{
  input: Call<A>['input']
  output: { job: number }
  meta: unknown
}>

const anyInput = v.record(v.string(), v.unknown())

/** `run.NAME` waits for the result of an action, `start.NAME` makes a job of it. */
const run = Object.fromEntries(
  actions.map((action: Action) => [
    action.name,
    t.procedure
      .input(anyInput)
      .mutation(({ ctx, input, signal }) => guard(() => ctx.calls.run(action, input, signal!))),
  ]),
) as unknown as { [N in keyof ActionMap]: Run<ActionMap[N]> }

const start = Object.fromEntries(
  actions.map((action: Action) => [
    action.name,
    t.procedure.input(anyInput).mutation(({ ctx, input }) => guard(() => ctx.calls.start(action, input))),
  ]),
) as unknown as { [N in keyof ActionMap]: Start<ActionMap[N]> }

const jobId = v.object({ job: v.pipe(v.number(), v.integer()) })

export const router = t.router({
  run,
  start,
  jobs: {
    cancel: t.procedure.input(jobId).mutation(({ ctx, input }) => ctx.calls.cancel(input.job)),
    log: t.procedure.input(jobId).query(({ ctx, input }) => ctx.workspace.jobs.logOf(input.job)),
  },
})

export type Router = typeof router

/** A `MindEyeError` is an answer and not a fault of the server. */
async function guard<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (error) {
    const known = toMindEyeError(error)
    const isFault = known.parts.kind === 'engine'
    throw new TRPCError({
      code: isFault ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST',
      message: known.message,
      cause: known,
    })
  }
}
