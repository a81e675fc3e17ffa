import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { Hono } from 'hono'
import { createContext } from './actions/context.ts'
import { Calls } from './api/calls.ts'
import { Events } from './api/events.ts'
import { OpenSubjects } from './api/openSubjects.ts'
import { PickedPaths } from './api/picked.ts'
import { router } from './api/router.ts'
import { brainRoutes } from './api/routes/brain.ts'
import { evaluationRoutes } from './api/routes/evaluation.ts'
import { figureRoutes } from './api/routes/figures.ts'
import { fileRoutes } from './api/routes/files.ts'
import { reconstructionRoutes } from './api/routes/reconstructions.ts'
import { retrievalRoutes } from './api/routes/retrieval.ts'
import { runsRoutes } from './api/routes/runs.ts'
import { stateRoutes } from './api/routes/state.ts'
import { subjectRoutes } from './api/routes/subjects.ts'
import { uploadRoutes } from './api/routes/uploads.ts'
import type { Host, Services } from './api/services.ts'
import { snapshotOf, watchWorkspace } from './api/watcher.ts'
import type { ErrorKind } from './base/errors.ts'
import { toMindEyeError } from './base/failure.ts'

export type { Host } from './api/services.ts'

/** The app without its window: one workspace, answered over one fetch handler. */
export interface App {
  /** Answers requests for paths under `/api/`; whether a request may be asked at all is the host's to say. */
  fetch(request: Request): Promise<Response>
  /** For paths that the host itself got from its user. */
  picked: PickedPaths
  /** Stops all jobs (trainings write a checkpoint) and ends the child processes. */
  close(): Promise<void>
}

const statuses: Record<ErrorKind, 400 | 409 | 500 | 503> = {
  input: 400,
  format: 400,
  state: 409,
  engine: 500,
  aborted: 503,
}

/** The composition root. Throws a `MindEyeError` for a folder that is no workspace. */
export async function createApp(host: Host): Promise<App> {
  const log = (line: string) => {
    host.log(line)
    services.events.emit('log', { at: new Date().toISOString(), line })
  }
  const ctx = createContext((line) => log(line))
  const services: Services = {
    ctx,
    host,
    picked: new PickedPaths(),
    events: new Events(() => snapshotOf(services.workspace)),
    workspace: undefined as never,
    subjects: undefined as never,
  }
  services.workspace = await ctx.workspace(host.workspacePath, { create: true })
  services.subjects = new OpenSubjects(services.workspace, ctx)
  const calls = new Calls(services)
  const watcher = watchWorkspace(services.workspace, services.events)

  const http = new Hono()
    .basePath('/api')
    .all('/trpc/*', (c) =>
      fetchRequestHandler({
        endpoint: '/api/trpc',
        req: c.req.raw,
        router,
        createContext: () => ({ ...services, calls }),
      }),
    )
    .get('/events', (c) => {
      const stream = services.events.stream(c.req.query('after'), c.req.raw.signal)
      return new Response(stream, {
        headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' },
      })
    })
    .get('/host', (c) =>
      c.json({ native: host.native, browse: host.allow.length > 0, workspace: services.workspace.path }),
    )
    .route('/brain', brainRoutes(services))
    .route('/evaluation', evaluationRoutes(services))
    .route('/figures', figureRoutes(services))
    .route('/files', fileRoutes(services))
    .route('/reconstructions', reconstructionRoutes(services))
    .route('/retrieval', retrievalRoutes(services))
    .route('/runs', runsRoutes(services))
    .route('/state', stateRoutes(services))
    .route('/subjects', subjectRoutes(services))
    .route('/uploads', uploadRoutes(services))

  http.onError((raw, c) => {
    const error = toMindEyeError(raw)
    if (error.parts.kind === 'engine') log(`${c.req.path}: ${error.stack}`)
    return c.json({ error: { ...error.parts, message: error.message } }, statuses[error.parts.kind])
  })
  http.notFound((c) => {
    const parts = { kind: 'input', where: c.req.path, expected: 'something that the app knows', found: 'nothing' }
    return c.json({ error: { ...parts, message: `${c.req.path}: not found` } }, 404)
  })

  return {
    fetch: async (request) => http.fetch(request),
    picked: services.picked,
    async close() {
      watcher.close()
      await calls.close()
      services.events.close()
      services.subjects.close()
      await ctx.close()
    },
  }
}
