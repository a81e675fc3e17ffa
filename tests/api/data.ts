import { Hono } from 'hono'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createContext } from '../../src-main/actions/context.ts'
import { OpenSubjects } from '../../src-main/api/openSubjects.ts'
import { PickedPaths } from '../../src-main/api/picked.ts'
import { fileRoutes } from '../../src-main/api/routes/files.ts'
import { subjectRoutes } from '../../src-main/api/routes/subjects.ts'
import { uploadRoutes } from '../../src-main/api/routes/uploads.ts'
import type { Services } from '../../src-main/api/services.ts'
import type { ErrorParts } from '../../src-main/base/errors.ts'
import { toMindEyeError } from '../../src-main/base/failure.ts'

/** An answer: its status, headers and JSON. */
export interface Answer<T> {
  status: number
  headers: Headers
  body: T & { error?: ErrorParts }
}

/** The routes of the Data place on a new workspace, gone after the test. Errors of users have the status 400, others 500. */
export async function startRoutes(options: { allow?: string[] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'mindeye-api-'))
  const path = join(folder, 'workspace')
  const ctx = createContext(() => {})
  const workspace = await ctx.workspace(path, { create: true })
  const picked = new PickedPaths()
  const subjects = new OpenSubjects(workspace, ctx)
  const host = { workspacePath: path, allow: options.allow ?? [], native: false, log() {} }
  const services = { workspace, ctx, picked, host, subjects } as unknown as Services
  onTestFinished(async () => {
    subjects.close()
    await ctx.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const http = new Hono()
    .route('/files', fileRoutes(services))
    .route('/subjects', subjectRoutes(services))
    .route('/uploads', uploadRoutes(services))
  http.onError((error, c) => {
    const { parts } = toMindEyeError(error)
    return c.json({ error: parts }, parts.kind === 'engine' ? 500 : 400)
  })
  const ask = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const isRaw = body === undefined || body instanceof Uint8Array || body instanceof ReadableStream
    const init = {
      method,
      headers,
      body: isRaw ? (body as Uint8Array<ArrayBuffer> | undefined) : JSON.stringify(body),
      duplex: 'half' as const,
    }
    return http.fetch(new Request(`http://app/${path}`, init))
  }
  const json = async <T>(...args: Parameters<typeof ask>): Promise<Answer<T>> => {
    const response = await ask(...args)
    const text = await response.text()
    const body = (text.startsWith('{') ? JSON.parse(text) : {}) as Answer<T>['body']
    return { status: response.status, headers: response.headers, body }
  }
  return { services, workspace, ctx, picked, folder, ask, json }
}
