import { spawn, type ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { isTemporary } from '../../src-main/base/files.ts'
import { nodeBinary } from '../../src-main/engine/channel.ts'
import { Workspace } from '../../src-main/workspace/index.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'sharing-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const entry = fileURLToPath(new URL('busyProcess.ts', import.meta.url))

function start(...args: string[]): { child: ChildProcess; end: Promise<number | null>; first: Promise<unknown> } {
  const child = spawn(nodeBinary(), [entry, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  return {
    child,
    first: new Promise((resolve) => child.stdout.once('data', resolve)),
    end: new Promise((resolve) => child.once('exit', resolve)),
  }
}

test('four processes at once: every update is there, every run is claimed by one only', async () => {
  const root = join(base, 'shared')
  const workspace = Workspace.open(root, { create: true })
  const { id } = workspace.runs.create({ subject: 's1', preset: 'demo', config: {} })
  const wanted = Array.from({ length: 5 }, () => {
    const { id } = workspace.runs.create({ subject: 's1', preset: 'demo', config: {} })
    workspace.runs.claim(id)
    workspace.runs.finish(id, 'cancelled')
    return id
  })
  const counting = [1, 2, 3, 4].map((n) => start('count', root, id, String(n), ...wanted))
  await Promise.all(counting.map(({ first }) => first))
  for (const { child } of counting) child.stdin!.end()
  expect(await Promise.all(counting.map(({ end }) => end))).toEqual([0, 0, 0, 0])
  const { summary } = workspace.runs.get(id)
  expect(Object.values(summary)).toHaveLength(4 * 15)
  for (const run of wanted) expect(workspace.jobs.list().filter((job) => job.run === run)).toHaveLength(1)
  expect(workspace.runs.list().filter(({ state }) => state === 'interrupted')).toHaveLength(wanted.length)
  workspace.close()
})

test('a process killed at 8 random moments of importing, updating and deleting leaves nothing half-done', async () => {
  const root = join(base, 'killed')
  Workspace.open(root, { create: true }).close()
  let subjects = 0
  for (let round = 0; round < 8; round++) {
    const busy = start('churn', root)
    await busy.first
    // Any moment will do; these are not needed again.
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 60))
    busy.child.kill('SIGKILL')
    await busy.end
    const workspace = Workspace.open(root)
    expect(workspace.problems).toEqual([])
    for (const { folder, manifest } of workspace.subjects.list()) {
      subjects++
      expect(fs.readdirSync(folder)).toHaveLength(1 + (manifest.parts as number))
    }
    for (const { summary, state } of workspace.runs.list()) {
      expect(['interrupted', 'done']).toContain(state)
      expect(Object.keys(summary).length === 0 || (summary.note as string).length === 20_000).toBe(true)
    }
    workspace.close()
    for (const folder of ['.', 'subjects', 'runs'])
      expect(fs.readdirSync(join(root, folder)).filter(isTemporary)).toEqual([])
  }
  expect(subjects).toBeGreaterThan(0)
})
