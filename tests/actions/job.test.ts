import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { runJob, type Job } from '../../src-main/actions/job.ts'
import { formatError } from '../../src-main/base/errors.ts'
import type { Progress } from '../../src-main/base/progress.ts'
import { openChannel } from '../../src-main/engine/channel.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import type { UnrulyMethods } from '../engine/unrulyChild.ts'

const root = fs.mkdtempSync(join(tmpdir(), 'job-'))
const workspace = Workspace.open(root, { create: true })
afterAll(() => {
  workspace.close()
  fs.rmSync(root, { recursive: true })
})

let run: string
beforeEach(() => {
  run = workspace.runs.create({ subject: 's1', preset: 'demo', config: {} }).id
})

const work = (body: (job: Job) => Promise<unknown>, signal = new AbortController().signal) => {
  const reports: Progress[] = []
  const promise = runJob(
    workspace,
    { action: 'train', input: { seed: 1 } },
    { signal, progress: (p) => reports.push(p) },
    (job) => {
      job.claim(run)
      return body(job)
    },
  )
  return { promise, reports }
}

describe('a job and the run it works on end alike', () => {
  const ends = () => {
    const [job] = workspace.jobs.list()
    const record = workspace.runs.get(run)
    expect(job.run).toBe(run)
    expect(record.owner).toBeUndefined()
    expect(record.state).toBe(job.state)
    expect(record.error).toEqual(job.error)
    return { state: job.state, error: job.error }
  }

  test('done: the result is passed on, progress goes to the caller and the row', async () => {
    const { promise, reports } = work(async (job) => {
      expect(workspace.jobs.get(job.id)).toMatchObject({ state: 'running', run })
      job.options.progress({ phase: 'train', done: 1, total: 2 })
      job.log('half way')
      return 42
    })
    expect(await promise).toBe(42)
    expect(reports).toEqual([{ phase: 'train', done: 1, total: 2 }])
    expect(ends()).toEqual({ state: 'done', error: undefined })
    const [{ id, progress }] = workspace.jobs.list()
    expect(progress).toMatchObject(reports[0])
    expect(workspace.jobs.logOf(id).map(({ line }) => line)).toEqual(['half way'])
  })

  test('failed: with the error', async () => {
    const error = formatError('x.npy', 'dtype', 'a', 'b')
    await expect(work(() => Promise.reject(error)).promise).rejects.toBe(error)
    expect(ends()).toEqual({ state: 'failed', error: error.parts })
  })

  test('cancelled: whatever the work ended with', async () => {
    const abort = new AbortController()
    const { promise } = work(async () => {
      abort.abort()
      throw new Error('pipe closed')
    }, abort.signal)
    await expect(promise).rejects.toThrow('pipe closed')
    expect(ends()).toEqual({ state: 'cancelled', error: undefined })
  })

  test('interrupted: the engine process died, and says why', async () => {
    const entry = fileURLToPath(new URL('../engine/unrulyChild.ts', import.meta.url))
    const channel = openChannel<UnrulyMethods>({ name: 'the engine process', entry })
    await expect(work(() => channel.call('killed', {})).promise).rejects.toThrow('SIGKILL')
    const { state, error } = ends()
    expect(state).toBe('interrupted')
    expect(error).toMatchObject({ kind: 'engine', where: 'the engine process' })
    expect(workspace.runs.claim(run).state).toBe('running')
    workspace.runs.finish(run, 'cancelled')
  })
})
