import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { EtaClock, formatDuration } from '../../src-main/base/eta.ts'
import { sweepTemporary, stageFolder } from '../../src-main/base/files.ts'
import { ownerState, thisProcess } from '../../src-main/base/owner.ts'
import { nodeBinary } from '../../src-main/engine/channel.ts'
import { openDatabase } from '../../src-main/workspace/database.ts'
import { Workspace } from '../../src-main/workspace/index.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'workspace-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

let root: string
let workspace: Workspace
let count = 0
beforeEach(() => {
  root = join(base, String(count++))
  workspace = Workspace.open(root, { create: true })
})
afterEach(() => workspace.close())

function reopen(): Workspace {
  workspace.close()
  workspace = Workspace.open(root)
  return workspace
}

function refusal(act: () => unknown): MindEyeError {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(MindEyeError)
    return error as MindEyeError
  }
  throw new Error('nothing was refused')
}

function addSubject(id: string, manifest: object = { voxelCount: 15724 }): void {
  const staged = workspace.subjects.stage(id)
  fs.writeFileSync(join(staged.folder, 'subject.json'), JSON.stringify(manifest))
  staged.commit()
}

/** Runs a script against the workspace in a process of its own, kills it with SIGKILL once it says `ready`. */
async function inKilledProcess(script: string): Promise<void> {
  const code = `
    import { Workspace } from ${JSON.stringify(new URL('../../src-main/workspace/index.ts', import.meta.url).href)}
    import { stageFolder } from ${JSON.stringify(new URL('../../src-main/base/files.ts', import.meta.url).href)}
    const w = Workspace.open(${JSON.stringify(root)})
    ${script}
    console.log('ready')
    setInterval(() => {}, 1000)`
  const child = spawn(nodeBinary(), ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve)
    child.once('exit', () => reject(new Error('the script ended early')))
  })
  child.kill('SIGKILL')
  await new Promise((resolve) => ((child.exitCode ?? child.signalCode) ? resolve(0) : child.once('exit', resolve)))
}

describe('opening', () => {
  test('a missing folder is made only on request', () => {
    const missing = join(base, 'missing')
    const error = refusal(() => Workspace.open(missing))
    expect(error.parts).toMatchObject({
      kind: 'input',
      where: missing,
      expected: 'a workspace',
      found: 'no such folder',
    })
    expect(fs.existsSync(missing)).toBe(false)
    Workspace.open(missing, { create: true }).close()
    Workspace.open(missing).close()
  })

  test("someone else's folder and a file are refused, whatever was asked", () => {
    const other = fs.mkdtempSync(join(base, 'other-'))
    fs.writeFileSync(join(other, 'thesis.tex'), 'x')
    expect(refusal(() => Workspace.open(other, { create: true })).parts.found).toBe('a folder with other things in it')
    expect(fs.readdirSync(other)).toEqual(['thesis.tex'])
    expect(refusal(() => Workspace.open(join(other, 'thesis.tex'), { create: true })).parts.found).toBe('a file')
  })

  test('a workspace or index of a newer version is refused and left as it was', () => {
    workspace.close()
    const index = new Database(join(root, 'index.sqlite'))
    index.pragma('user_version = 99')
    index.close()
    expect(refusal(() => Workspace.open(root)).parts).toMatchObject({ field: 'schema version', found: '99' })
    fs.rmSync(join(root, 'index.sqlite'))
    fs.writeFileSync(join(root, 'workspace.json'), '{"version":2}')
    expect(refusal(() => Workspace.open(root)).parts).toMatchObject({ field: 'version', expected: '1', found: '2' })
  })

  test('write-ahead log on a local disk, rollback journal on a network disk', () => {
    const mode = (network: boolean) => {
      const { db } = openDatabase(join(root, `${network}.sqlite`), network)
      const journal = db.pragma('journal_mode', { simple: true })
      db.close()
      return journal
    }
    expect(mode(false)).toBe('wal')
    expect(mode(true)).toBe('delete')
  })

  test('two connections see the same', () => {
    const other = Workspace.open(root)
    addSubject('s1')
    const run = workspace.runs.create({ subject: 's1', preset: 'demo', config: {} })
    other.runs.update(run.id, { summary: { epochs: 2 } })
    expect(other.subjects.get('s1').manifest).toEqual({ voxelCount: 15724 })
    expect(workspace.runs.get(run.id).summary).toEqual({ epochs: 2 })
    other.close()
  })
})

describe('the index is rebuilt from the folders', () => {
  beforeEach(() => {
    addSubject('s1')
    const run = workspace.runs.create({ subject: 's1', preset: 'demo', config: { seed: 3 } })
    workspace.runs.claim(run.id)
    workspace.runs.finish(run.id, 'done')
    workspace.runs.update(run.id, { summary: { top1: 0.8 } })
  })
  const seen = () => ({ subjects: workspace.subjects.list(), runs: workspace.runs.list() })

  test.each([
    ['when it is lost', (file: string) => fs.rmSync(file)],
    ['when it is not a database', (file: string) => fs.writeFileSync(file, 'nonsense '.repeat(1000))],
    [
      'when its pages are damaged',
      (file: string) => {
        const bytes = fs.readFileSync(file)
        bytes.fill(0xa5, 100, bytes.length)
        fs.writeFileSync(file, bytes)
      },
    ],
    ['when it is cut short', (file: string) => fs.truncateSync(file, 5000)],
    ['when it is empty', (file: string) => fs.truncateSync(file, 0)],
  ])('%s', (_, damage) => {
    const before = seen()
    expect(before.runs).toHaveLength(1)
    workspace.close()
    damage(join(root, 'index.sqlite'))
    workspace = Workspace.open(root)
    expect(seen()).toEqual(before)
    const again = reopen()
    expect(again.problems).toEqual([])
  })

  test('folders that come, go or are damaged behind its back', () => {
    const [run] = workspace.runs.list()
    workspace.close()
    fs.mkdirSync(join(root, 'subjects', 's2'))
    fs.writeFileSync(join(root, 'subjects', 's2', 'subject.json'), '{"voxelCount":1}')
    fs.rmSync(join(root, 'subjects', 's1'), { recursive: true })
    fs.mkdirSync(join(root, 'subjects', 'empty'))
    fs.writeFileSync(join(root, 'runs', run.id, 'run.json'), '{"version":1,')
    workspace = Workspace.open(root)
    expect(workspace.subjects.list().map(({ id }) => id)).toEqual(['s2'])
    expect(workspace.runs.list()).toEqual([])
    expect(workspace.problems).toHaveLength(2)
    expect(workspace.problems.join()).toMatch(/empty has no subject.json.*run.json cannot be read/)
  })
})

describe('subjects', () => {
  test('appear at commit, not before; a discarded one leaves nothing', () => {
    const staged = workspace.subjects.stage('s1')
    fs.writeFileSync(join(staged.folder, 'subject.json'), '{}')
    expect(reopen().subjects.list()).toEqual([])
    expect(fs.existsSync(staged.folder)).toBe(true)
    staged.discard()
    expect(fs.readdirSync(join(root, 'subjects'))).toEqual([])
  })

  test('a taken id, a bad id and an unknown id are refused by name', () => {
    addSubject('s1')
    expect(refusal(() => workspace.subjects.stage('s1')).message).toContain("'s1', which is a subject")
    for (const id of ['../s1', '', 'a/b', '.hidden', 'x'.repeat(81)])
      expect(refusal(() => workspace.subjects.stage(id)).parts.kind).toBe('input')
    expect(refusal(() => workspace.subjects.get('s9')).parts).toMatchObject({ expected: 'one of s1', found: "'s9'" })
  })

  test('two imports under one id: the first to commit wins', () => {
    const [a, b] = [workspace.subjects.stage('s1'), workspace.subjects.stage('s1')]
    for (const [i, { folder }] of [a, b].entries()) fs.writeFileSync(join(folder, 'subject.json'), `{"n":${i}}`)
    b.commit()
    expect(refusal(() => a.commit()).parts.where).toBe('--as')
    expect(workspace.subjects.get('s1').manifest).toEqual({ n: 1 })
    expect(fs.readdirSync(join(root, 'subjects'))).toEqual(['s1'])
  })

  test('remove', () => {
    addSubject('s1')
    workspace.subjects.remove('s1')
    expect(workspace.subjects.list()).toEqual([])
    expect(fs.readdirSync(join(root, 'subjects'))).toEqual([])
  })

  test('what a killed import left is swept away at the next opening', async () => {
    await inKilledProcess(`w.subjects.stage('s1')`)
    expect(fs.readdirSync(join(root, 'subjects'))).toHaveLength(1)
    expect(reopen().subjects.list()).toEqual([])
    expect(fs.readdirSync(join(root, 'subjects'))).toEqual([])
  })

  test("a living process's staged folder survives the sweep", () => {
    const staged = stageFolder(join(root, 'subjects', 's1'))
    expect(sweepTemporary(join(root, 'subjects'))).toBe(0)
    expect(fs.existsSync(staged.folder)).toBe(true)
    staged.discard()
  })
})

describe('runs', () => {
  const create = () => workspace.runs.create({ subject: 's1', preset: 'small-study', config: { seed: 1 } })

  test('ids are readable, sortable and unique', () => {
    const ids = Array.from({ length: 5 }, () => create().id)
    for (const id of ids) expect(id).toMatch(/^20\d{6}-\d{4}-small-study-s1-[0-9a-f]{4}$/)
    expect(new Set(ids).size).toBe(5)
  })

  test('queued → running → done; then no one may take it', () => {
    const { id, state } = create()
    expect(state).toBe('queued')
    expect(workspace.runs.claim(id)).toMatchObject({ state: 'running', owner: thisProcess() })
    expect(refusal(() => workspace.runs.claim(id)).parts.found).toContain(`running (process ${process.pid} on`)
    expect(refusal(() => workspace.runs.delete(id)).parts.found).toContain('running')
    expect(workspace.runs.finish(id, 'done')).toMatchObject({ state: 'done' })
    expect(workspace.runs.get(id).owner).toBeUndefined()
    expect(refusal(() => workspace.runs.claim(id)).parts.found).toBe('that it is done')
    expect(() => workspace.runs.finish(id, 'failed')).toThrow('done already')
    workspace.runs.delete(id)
    expect(workspace.runs.list()).toEqual([])
    expect(fs.readdirSync(join(root, 'runs'))).toEqual([])
    expect(refusal(() => workspace.runs.get(id)).parts.fix).toContain('mindeye train')
  })

  test('a failed run keeps its error until it is taken up again', () => {
    const { id } = create()
    workspace.runs.claim(id)
    const parts = { kind: 'engine', expected: 'a finite loss', found: 'NaN' } as const
    workspace.runs.finish(id, 'failed', parts)
    expect(reopen().runs.get(id).error).toEqual(parts)
    expect(workspace.runs.claim(id).error).toBeUndefined()
    expect(JSON.parse(fs.readFileSync(join(workspace.runs.folderOf(id), 'run.json'), 'utf8'))).toMatchObject({
      state: 'running',
      config: { seed: 1 },
    })
  })

  test("a killed process's run is interrupted, in the index and in run.json, and can be taken up", async () => {
    await inKilledProcess(`
      const { id } = w.runs.create({ subject: 's1', preset: 'demo', config: {} })
      w.runs.claim(id)`)
    const [run] = workspace.runs.list()
    expect(run.state).toBe('interrupted')
    const onDisk: unknown = JSON.parse(fs.readFileSync(join(workspace.runs.folderOf(run.id), 'run.json'), 'utf8'))
    expect(onDisk).toEqual(run)
    expect(workspace.runs.claim(run.id).state).toBe('running')
  })

  test('a run held on another machine is left alone until it has been silent for ten minutes', () => {
    const { id } = create()
    workspace.runs.claim(id)
    const path = join(workspace.runs.folderOf(id), 'run.json')
    const foreign = { ...workspace.runs.get(id), owner: { host: 'node-17', pid: 4, started: 'x' } }
    fs.writeFileSync(path, JSON.stringify(foreign))
    expect(reopen().runs.get(id).state).toBe('running')
    expect(refusal(() => workspace.runs.claim(id)).parts.found).toBe('that it is running (process 4 on node-17)')
    expect(refusal(() => workspace.runs.delete(id)).parts.found).toContain('node-17')
    const metrics = join(workspace.runs.folderOf(id), 'metrics.jsonl')
    fs.writeFileSync(metrics, '')
    const longAgo = new Date(Date.now() - 11 * 60_000)
    fs.utimesSync(path, longAgo, longAgo)
    expect(refusal(() => workspace.runs.claim(id)).parts.fix).toContain('10 minutes')
    fs.utimesSync(metrics, longAgo, longAgo)
    expect(workspace.runs.claim(id)).toMatchObject({ state: 'running', owner: thisProcess() })
  })
})

describe('jobs', () => {
  const input = { workspace: 'W', subject: 's1' }

  test('go through their states, with progress, time left and log', async () => {
    const { id } = workspace.jobs.add({ action: 'train', input })
    expect(workspace.jobs.get(id)).toMatchObject({ state: 'queued', input, owner: thisProcess() })
    workspace.jobs.start(id)
    workspace.jobs.setRun(id, 'RUN')
    workspace.jobs.report(id, { phase: 'train', done: 1, total: 10 })
    await new Promise((resolve) => setTimeout(resolve, 600))
    workspace.jobs.report(id, { phase: 'train', done: 4, total: 10, values: { loss: 0.5 } })
    workspace.jobs.log(id, 'first')
    workspace.jobs.log(id, 'second')
    const running = reopen().jobs.get(id)
    expect(running).toMatchObject({ state: 'running', run: 'RUN', progress: { done: 4, values: { loss: 0.5 } } })
    expect(running.eta).toBeGreaterThan(0.5)
    expect(running.eta).toBeLessThan(10)
    expect(workspace.jobs.logOf(id).map(({ line }) => line)).toEqual(['first', 'second'])
    expect(workspace.jobs.finish(id, 'done')).toMatchObject({ state: 'done', eta: undefined })
    expect(workspace.jobs.list().map((job) => job.id)).toEqual([id])
  })

  test('a final state is final, and none is skipped', () => {
    const { id } = workspace.jobs.add({ action: 'train', input })
    expect(() => workspace.jobs.finish(id, 'done')).toThrow('cannot go from queued to done')
    workspace.jobs.start(id)
    workspace.jobs.finish(id, 'failed', { error: { kind: 'engine', expected: 'x', found: 'y' } })
    expect(() => workspace.jobs.start(id)).toThrow('cannot go from failed to running')
    expect(workspace.jobs.get(id).error).toEqual({ kind: 'engine', expected: 'x', found: 'y' })
  })

  test("only a dead owner's job becomes interrupted", async () => {
    const mine = workspace.jobs.add({ action: 'train', input }).id
    workspace.jobs.start(mine)
    await inKilledProcess(
      `w.jobs.start(w.jobs.add({ action: 'import', input: {} }).id); w.jobs.add({ action: 'evaluate', input: {} })`,
    )
    const states = workspace.jobs.list().map(({ action, state }) => [action, state])
    expect(states).toEqual([
      ['evaluate', 'interrupted'],
      ['import', 'interrupted'],
      ['train', 'running'],
    ])
  })

  test('the time of a run is that of all its jobs; a killed one ended with its last report, whenever that is noticed', async () => {
    await inKilledProcess(`
      const { id } = w.jobs.add({ action: 'train', input: {} })
      w.jobs.setRun(id, 'RUN')
      w.jobs.start(id)
      await new Promise((resolve) => setTimeout(resolve, 300))
      w.jobs.report(id, { phase: 'train', done: 1, total: 10 })`)
    await new Promise((resolve) => setTimeout(resolve, 1200))
    const [{ started, finished, progress, state }] = workspace.jobs.list()
    expect(state).toBe('interrupted')
    expect(progress).toMatchObject({ done: 1, total: 10 })
    const first = (Date.parse(finished!) - Date.parse(started!)) / 1000
    expect(first).toBeGreaterThanOrEqual(0.29)
    expect(first).toBeLessThan(Date.now() / 1000 - Date.parse(started!) / 1000 - 1.1)
    expect(workspace.jobs.secondsOf('RUN')).toBeCloseTo(first, 6)
    const { id } = workspace.jobs.add({ action: 'train', input })
    workspace.jobs.setRun(id, 'RUN')
    workspace.jobs.start(id)
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(workspace.jobs.secondsOf('RUN')).toBeGreaterThan(first + 0.39)
    workspace.jobs.finish(id, 'done')
    expect(workspace.jobs.secondsOf('OTHER')).toBe(0)
  })
})

describe('owners', () => {
  test('this process lives; a reused pid is told by its start; another host is unknown', () => {
    const self = thisProcess()
    expect(ownerState(self)).toBe('alive')
    expect(ownerState({ ...self, started: 'earlier' })).toBe('dead')
    expect(ownerState({ ...self, pid: 2 ** 30 })).toBe('dead')
    expect(ownerState({ ...self, host: 'elsewhere' })).toBe('unknown')
  })
})

describe('time left', () => {
  test('constant speed is estimated exactly; a new phase starts anew; an unknown total says nothing', () => {
    const clock = new EtaClock()
    expect(clock.update({ phase: 'a', done: 0, total: 100 }, 0)).toBeUndefined()
    for (let t = 1; t <= 40; t++) clock.update({ phase: 'a', done: t, total: 100 }, t * 1000)
    expect(clock.update({ phase: 'a', done: 41, total: 100 }, 41_000)).toBeCloseTo(59, 6)
    expect(clock.update({ phase: 'b', done: 0, total: 5 }, 42_000)).toBeUndefined()
    expect(clock.update({ phase: 'b', done: 2, total: 0 }, 44_000)).toBeUndefined()
  })

  test('follows a change of speed', () => {
    const clock = new EtaClock()
    clock.update({ phase: 'a', done: 0, total: 1000 }, 0)
    for (let t = 1; t <= 20; t++) clock.update({ phase: 'a', done: 10 * t, total: 1000 }, t * 1000)
    let eta: number | undefined
    for (let t = 1; t <= 60; t++) eta = clock.update({ phase: 'a', done: 200 + t, total: 1000 }, (20 + t) * 1000)
    expect(eta).toBeGreaterThan(650)
    expect(eta).toBeLessThan(760)
  })

  test.each([
    [4.4, '4 s'],
    [185, '3 min 05 s'],
    [7800, '2 h 10 min'],
  ])('%d seconds read %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text))
})
