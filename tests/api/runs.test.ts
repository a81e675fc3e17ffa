import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { RunFiles, RunLog } from '../../src-main/api/routes/runs.ts'
import { runsRoutes } from '../../src-main/api/routes/runs.ts'
import type { Services } from '../../src-main/api/services.ts'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { Workspace } from '../../src-main/workspace/index.ts'

const home = mkdtempSync(join(tmpdir(), 'mindeye-runs-'))
const workspace = Workspace.open(join(home, 'workspace'), { create: true })
afterAll(() => {
  workspace.close()
  rmSync(home, { recursive: true, force: true })
})

const routes = runsRoutes({ workspace } as Services)
let thrown: Error | undefined
routes.onError((error, c) => {
  thrown = error
  return c.text('refused', 400)
})
const newRun = () => {
  const { id } = workspace.runs.create({ subject: 's', preset: 'demo', config: {} })
  return { id, folder: workspace.runs.folderOf(id) }
}
const get = async (path: string, headers: Record<string, string> = {}) => routes.request(path, { headers })
const line = (step: number, loss: number, fold = 0) =>
  `${JSON.stringify({ fold, epoch: 0, step, loss, nce: loss / 2, lr: 1e-3 })}\n`

describe('/:run/metrics', () => {
  it('gives complete lines from a byte on, and where to go on', async () => {
    const { id, folder } = newRun()
    const nothing = await get(`/${id}/metrics`)
    expect([await nothing.text(), nothing.headers.get('X-Next')]).toEqual(['', '0'])

    writeFileSync(join(folder, 'metrics.jsonl'), line(0, 3) + line(1, 2) + '{"fold":0,"epo')
    const first = await get(`/${id}/metrics`)
    expect(await first.text()).toBe(line(0, 3) + line(1, 2))
    const next = Number(first.headers.get('X-Next'))
    expect(next).toBe((line(0, 3) + line(1, 2)).length)

    truncateSync(join(folder, 'metrics.jsonl'), next)
    appendFileSync(join(folder, 'metrics.jsonl'), line(2, 1))
    const rest = await get(`/${id}/metrics?from=${next}`)
    expect(await rest.text()).toBe(line(2, 1))
    expect(rest.headers.has('X-Reset')).toBe(false)
  })

  it('begins again when a resumed run has cut the file short', async () => {
    const { id, folder } = newRun()
    const path = join(folder, 'metrics.jsonl')
    writeFileSync(path, line(0, 3) + line(1, 2) + line(2, 1))
    const size = Number((await get(`/${id}/metrics`)).headers.get('X-Next'))
    writeFileSync(path, line(0, 3))
    const shorter = await get(`/${id}/metrics?from=${size}`)
    expect([await shorter.text(), shorter.headers.get('X-Reset')]).toEqual([line(0, 3), '1'])
    // On another backend the same steps have other digits: `from` may lie inside a line.
    writeFileSync(path, line(0, 3) + line(1, 2.123456) + line(2, 1.1) + line(3, 1))
    const other = await get(`/${id}/metrics?from=${size}`)
    expect([(await other.text()).length > size, other.headers.get('X-Reset')]).toEqual([true, '1'])
  })

  it('thins a run of 100,000 steps to what a plot can show, with every extreme, in no time', async () => {
    const { id, folder } = newRun()
    const loss = (step: number) => (step === 77_777 ? 99 : step === 12_345 ? -9 : 1 + Math.sin(step / 900))
    writeFileSync(
      join(folder, 'metrics.jsonl'),
      Array.from({ length: 100_000 }, (_, step) => line(step, loss(step))).join(''),
    )
    const started = performance.now()
    const answer = await get(`/${id}/metrics?points=5000`)
    const lines = (await answer.text()).trimEnd().split('\n')
    const seconds = (performance.now() - started) / 1000
    const parsed = lines.map((text) => JSON.parse(text) as { step: number; loss: number })
    expect(seconds).toBeLessThan(3) // a quarter of a second where nothing else is at work
    expect(lines.length).toBeLessThanOrEqual(5000)
    expect(lines.length).toBeGreaterThan(500)
    expect(parsed.map(({ step }) => step)).toEqual(parsed.map(({ step }) => step).sort((a, b) => a - b))
    expect(Math.max(...parsed.map((p) => p.loss))).toBe(99)
    expect(Math.min(...parsed.map((p) => p.loss))).toBe(-9)
    expect([parsed[0].step, answer.headers.get('X-Next')]).toEqual([
      0,
      String(Array.from({ length: 100_000 }, (_, step) => line(step, loss(step)).length).reduce((a, b) => a + b)),
    ])
  })

  it('knows only runs of the workspace', async () => {
    for (const path of ['/nobody/metrics', '/..%2F..%2Fworkspace/files', '/../metrics']) {
      thrown = undefined
      const { status } = await get(path)
      expect(status, path).toBeGreaterThanOrEqual(400)
      if (status === 400) expect(thrown, path).toBeInstanceOf(MindEyeError)
    }
  })
})

describe('/:run/batch, /log and /files', () => {
  it('the newest snapshot, once', async () => {
    const { id, folder } = newRun()
    expect((await get(`/${id}/batch`)).status).toBe(204)
    writeFileSync(join(folder, 'batch.safetensors'), 'bytes')
    const there = await get(`/${id}/batch`)
    expect(await there.text()).toBe('bytes')
    const again = await get(`/${id}/batch`, { 'If-None-Match': there.headers.get('ETag')! })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  it('the log of all jobs of a run, oldest first', async () => {
    const { id } = newRun()
    const jobs = [0, 1].map((i) => {
      const job = workspace.jobs.add({ action: 'train', input: {}, run: id })
      workspace.jobs.log(job.id, `leg ${i}`)
      return job.id
    })
    workspace.jobs.add({ action: 'train', input: {}, run: newRun().id })
    const log = (await (await get(`/${id}/log`)).json()) as RunLog[]
    expect(log.map(({ job, lines }) => [job, lines.map((l) => l.line)])).toEqual([
      [jobs[0], ['leg 0']],
      [jobs[1], ['leg 1']],
    ])
  })

  it('what deleting the run would remove', async () => {
    const { id, folder } = newRun()
    writeFileSync(join(folder, 'metrics.jsonl'), 'x'.repeat(1000))
    const { files, bytes } = (await (await get(`/${id}/files`)).json()) as RunFiles
    expect(files.map(({ name }) => name).sort()).toEqual(['metrics.jsonl', 'run.json'])
    expect(bytes).toBe(1000 + files.find(({ name }) => name === 'run.json')!.bytes)
  })
})
