import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client'
import type { ErrorParts } from '../../src-main/base/errors.ts'
import type { Router } from '../../src-main/api/router.ts'

/** Under http and under Electron's own scheme alike. */
export const apiUrl = (path: string): string => new URL(`/api/${path}`, location.href).href

const client = createTRPCClient<Router>({ links: [httpLink({ url: apiUrl('trpc') })] })

/** `api.NAME.mutate(input)` runs an action and waits for its result; throws an `ApiError`. */
export const api = client.run
/** `start.NAME.mutate(input)` makes a job of an action and answers with its number; its progress comes with the jobs. */
export const start = client.start
export const jobsApi = client.jobs

/** What went wrong: what was expected, what was found, what to do. */
export type Problem = Partial<ErrorParts> & { message: string }

/** Whatever was thrown, as words for its reader. */
export function toProblem(error: unknown): Problem {
  if (error instanceof RequestError) return error.problem
  if (error instanceof TRPCClientError) {
    const data = error.data as { parts?: ErrorParts } | undefined
    if (data?.parts) return { ...data.parts, message: error.message }
    return {
      message: error.message,
      expected: 'an answer of the app',
      found: error.message,
      fix: 'Look whether it still runs, then try again.',
    }
  }
  return { message: error instanceof Error ? error.message : String(error) }
}

/** An answer other than 2xx of a byte route. */
export class RequestError extends Error {
  readonly problem: Problem
  readonly status: number

  constructor(status: number, problem: Problem) {
    super(problem.message)
    this.status = status
    this.problem = problem
  }
}

/** fetch of a path below /api/; throws a `RequestError` with what the app said. */
export async function request(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(apiUrl(path), init)
  if (response.ok) return response
  const body = (await response.json().catch(() => undefined)) as { error?: Problem } | undefined
  throw new RequestError(
    response.status,
    body?.error ?? { message: `${path}: ${response.status} ${response.statusText}` },
  )
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request(path, { signal })).json()) as T
}

export async function sendJson<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const response = await request(path, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  return (await response.json()) as T
}

type ArrayType<A> = new (buffer: ArrayBuffer) => A

/** Raw little-endian numbers of a byte route, with the headers that say what they are. */
export async function getArray<A>(
  path: string,
  type: ArrayType<A>,
  signal?: AbortSignal,
): Promise<{ data: A; headers: Headers }> {
  const response = await request(path, { signal })
  return { data: new type(await response.arrayBuffer()), headers: response.headers }
}
