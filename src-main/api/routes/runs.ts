import { Hono } from 'hono'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { JobRecord } from '../../workspace/index.ts'
import { batchFile } from '../../training/batchSnapshot.ts'
import { readTail, thinLines } from '../../training/metricsTail.ts'
import type { Services } from '../services.ts'

/** What the jobs of a run said, oldest job first. */
export interface RunLog {
  job: number
  state: JobRecord['state']
  created: string
  /** What it ended with, where it failed. */
  error?: JobRecord['error']
  lines: { at: string; line: string }[]
}

export interface RunFiles {
  files: { name: string; bytes: number }[]
  bytes: number
}

/** Curves that a run writes line by line. */
const curves = { metrics: 'metrics.jsonl', speed: 'speed.jsonl' } as const

const MOST_JOBS = 1000

/** What lies in a run's folder and changes while it trains. */
export const runsRoutes = ({ workspace }: Services) => {
  /** The folder of a run that exists: an id from a page is looked up, never joined. */
  const folderOf = (id: string) => workspace.runs.folderOf(workspace.runs.get(id).id)

  const curve = async (id: string, name: keyof typeof curves, query: Record<string, string>) => {
    const from = wholeNumber(query.from)
    const points = wholeNumber(query.points)
    const tail = await readTail(join(folderOf(id), curves[name]), from)
    const text = points ? await thinLines(tail.text, points) : tail.text
    return new Response(text, {
      headers: {
        'Content-Type': 'application/jsonl; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Next': String(tail.next),
        ...(tail.reset && { 'X-Reset': '1' }),
      },
    })
  }

  return new Hono()
    .get('/:run/metrics', (c) => curve(c.req.param('run'), 'metrics', c.req.query()))
    .get('/:run/speed', (c) => curve(c.req.param('run'), 'speed', c.req.query()))
    .get('/:run/batch', (c) => {
      const file = batchFile(folderOf(c.req.param('run')))
      const found = statSync(file, { throwIfNoEntry: false })
      if (!found) return c.body(null, 204)
      const tag = `"${found.mtimeMs}-${found.size}"`
      const headers = { 'Content-Type': 'application/octet-stream', 'Cache-Control': 'private, no-cache', ETag: tag }
      if (c.req.header('If-None-Match') === tag) return new Response(null, { status: 304, headers })
      return new Response(readFileSync(file), { headers })
    })
    .get('/:run/log', (c) => {
      const { id } = workspace.runs.get(c.req.param('run'))
      const jobs = workspace.jobs.list(MOST_JOBS).filter(({ run }) => run === id)
      const logs = jobs.map((job) => ({
        job: job.id,
        state: job.state,
        created: job.created,
        error: job.error,
        lines: workspace.jobs.logOf(job.id),
      }))
      return c.json<RunLog[]>(logs.reverse())
    })
    .get('/:run/files', (c) => {
      const folder = folderOf(c.req.param('run'))
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
        const found = statSync(join(folder, name), { throwIfNoEntry: false }) // it may be gone by now
        return found?.isFile() ? [{ name, bytes: found.size }] : []
      })
      return c.json<RunFiles>({ files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) })
    })
}

const wholeNumber = (text: string | undefined): number => (text && /^\d{1,15}$/.test(text) ? Number(text) : 0)
