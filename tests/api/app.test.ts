import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AppEvent, EventMap, EventType } from '../../src-main/api/events.ts'
import { createApp, type App } from '../../src-main/app.ts'
import { Workspace } from '../../src-main/workspace/index.ts'

const root = mkdtempSync(join(tmpdir(), 'app-'))
const workspacePath = join(root, 'workspace')
let app: App
beforeAll(async () => {
  app = await createApp({ workspacePath, allow: [], native: false, log: () => {} })
})
afterAll(async () => {
  await app.close()
  rmSync(root, { recursive: true, force: true })
})

const ask = (path: string, init?: RequestInit) => app.fetch(new Request(`http://app/api/${path}`, init))

interface Answer {
  result?: { data: unknown }
  error?: { message: string; data: { code: string; parts?: { where?: string; expected: string; found: string } } }
}

async function call(path: string, input: unknown): Promise<Answer & { status: number }> {
  const headers = { 'Content-Type': 'application/json' }
  const response = await ask(`trpc/${path}`, { method: 'POST', headers, body: JSON.stringify(input) })
  return { status: response.status, ...((await response.json()) as Answer) }
}

/** The events of one stream as they come, until it is left. */
async function* listen(after?: string): AsyncGenerator<AppEvent & { id: string }> {
  const controller = new AbortController()
  const response = await ask(after ? `events?after=${after}` : 'events', { signal: controller.signal })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + value).split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) {
        const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(block) ?? []
        if (id) yield { id, ...(JSON.parse(data) as AppEvent) }
      }
    }
  } finally {
    controller.abort()
  }
}

/** Hears everything from now on; `until` finds an event that has come or waits for it. */
function hear() {
  const heard: (AppEvent & { id: string })[] = []
  let wake = () => {}
  void (async () => {
    for await (const event of listen()) {
      heard.push(event)
      wake()
    }
  })()
  return {
    async until<T extends EventType>(type: T, isIt: (data: EventMap[T]) => boolean = () => true) {
      for (let at = 0; ; at++) {
        while (at >= heard.length) await new Promise<void>((resolve) => (wake = resolve))
        const { id, type: itsType, data } = heard[at]
        if (itsType === type && isIt(data as EventMap[T])) return { id, data: data as EventMap[T] }
      }
    },
  }
}

const inState = (job: number, state: string) => (jobs: EventMap['jobs']) =>
  jobs.some((j) => j.id === job && j.state === state)

describe('actions over the transport', () => {
  test('an action answers with its result, in the app’s own workspace whatever the page says', async () => {
    const presets = await call('run.presets', { preset: 'demo' })
    expect(presets.result!.data).toMatchObject({ presets: [{ id: 'demo' }] })
    const runs = await call('run.runs', { workspace: join(root, 'other') })
    expect(runs.result!.data).toEqual({ runs: [] })
    expect(existsSync(join(root, 'other'))).toBe(false)
  })

  test('wrong input and wrong state are told in three parts, by the name of the field', async () => {
    const { status, error } = await call('run.train', { preset: 'nonsense', subject: 's1' })
    expect(status).toBe(400)
    expect(error!.data.parts).toMatchObject({ where: 'preset', found: '"nonsense"' })
    expect((await call('run.nothing', {})).status).toBe(404)
  })

  test('paths are refused: a page has handles, and handles only of what was picked', async () => {
    const file = join(root, 'notes.txt')
    writeFileSync(file, 'not an image')
    for (const path of [file, '../workspace.json', 'picked:guess'])
      expect((await call('run.inspect', { paths: [path] })).error!.data.parts).toMatchObject({
        expected: 'a file or folder that was dropped or picked in this window since the app started',
        found: `'${path}'`,
      })
    expect((await call('start.simulate', { out: join(root, 'made') })).error!.data.parts).toMatchObject({
      kind: 'input',
    })
    expect(existsSync(join(root, 'made'))).toBe(false)
    // With a handle the reader gets to see it, and says what it is not.
    const handle = app.picked.add(file)
    const { error } = await call('run.inspect', { paths: [handle] })
    expect(error!.data.parts!.expected).not.toContain('picked')
  })

  test('an id is no path: what may be either takes safe names only', async () => {
    const { error } = await call('run.runs', { do: 'show', run: '../../etc' })
    expect(error!.data.parts).toMatchObject({ found: "'../../etc'" })
    expect((await call('run.runs', { do: 'show', run: 'none' })).error!.data.parts).toMatchObject({ where: 'the run' })
  })
})

describe('jobs and events', () => {
  test('a job is numbered at once, tells its progress, and keeps its result; subjects appear by themselves', async () => {
    const ears = hear()
    const { data: beginning } = await ears.until('snapshot')
    expect(beginning).toMatchObject({ workspace: workspacePath, jobs: [], subjects: [] })
    const started = await call('start.demo-subject', { images: 12 })
    const { job } = started.result!.data as { job: number }
    expect((await ears.until('progress', ({ report }) => report.total > 0)).data.job).toBe(job)
    const { data: subjects } = await ears.until('subjects', (list) => list.length === 1)
    expect(subjects[0]).toMatchObject({ id: 'simulated-12', trainTrials: 36 })
    const { data, id } = await ears.until('jobs', inState(job, 'done'))
    expect(data[0].result).toMatchObject({ subject: 'simulated-12' })
    // A stream that broke goes on after the event it had seen, and one from another process starts anew.
    const [epoch, number] = id.split('-')
    for await (const event of listen(`${epoch}-${Number(number) - 1}`)) {
      expect(event).toMatchObject({ type: 'jobs', id })
      break
    }
    for await (const event of listen('other-7')) {
      expect(event.type).toBe('snapshot')
      break
    }
  })

  test('what is wrong before there is a job rejects; what is wrong later is in the job', async () => {
    const none = await call('start.train', { subject: 'nobody' })
    expect(none.error!.data.parts).toMatchObject({ where: '--subject', found: "'nobody'" })
    const ears = hear()
    await ears.until('snapshot')
    const again = await call('start.demo-subject', { images: 12 })
    const { job } = again.result!.data as { job: number }
    const { data } = await ears.until('jobs', inState(job, 'failed'))
    expect(data[0].error).toMatchObject({ expected: 'an id that is not taken' })
  })

  test('a job is cancelled by its number', async () => {
    const ears = hear()
    await ears.until('snapshot')
    const { result } = await call('start.demo-subject', { images: 400 })
    const { job } = result!.data as { job: number }
    await call('jobs.cancel', { job })
    const { data } = await ears.until('jobs', inState(job, 'cancelled'))
    expect(data[0].error).toBeUndefined()
  })

  test('what another process does in the workspace is told, too', async () => {
    const ears = hear()
    await ears.until('snapshot')
    const other = Workspace.open(workspacePath)
    const { id } = other.runs.create({ subject: 'simulated-12', preset: 'from elsewhere', config: {} })
    await ears.until('runs', (runs) => runs.some((run) => run.id === id))
    other.runs.finish(id, 'cancelled')
    other.runs.delete(id)
    other.close()
    await ears.until('runsRemoved', (ids) => ids.includes(id))
  })
})

describe('what a page remembers', () => {
  test('is kept in the workspace under safe names', async () => {
    expect(await (await ask('state/layout-data')).json()).toBeNull()
    const put = (key: string, body: string) => ask(`state/${key}`, { method: 'PUT', body })
    expect((await put('layout-data', '{"a":1}')).status).toBe(200)
    expect(await (await ask('state/layout-data')).json()).toEqual({ a: 1 })
    expect(JSON.parse(readFileSync(join(workspacePath, 'ui', 'layout-data.json'), 'utf8'))).toEqual({ a: 1 })
    expect((await put('..%2F..%2Fworkspace', '{}')).status).toBe(400)
    expect((await put('big', JSON.stringify('x'.repeat(1_100_000)))).status).toBe(400)
    expect((await ask('nothing/here')).status).toBe(404)
  })
})
