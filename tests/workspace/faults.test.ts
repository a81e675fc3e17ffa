import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { isTemporary, openAtomic, writeFileAtomic } from '../../src-main/base/files.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { FaultyDisk, type Fault } from './faultyDisk.ts'

// The injected crash happens inside this very process, whose temporary files count as dead ones only under another name.
vi.mock('../../src-main/base/owner.ts', async (original) => ({
  ...(await original<typeof import('../../src-main/base/owner.ts')>()),
  thisProcess: () => ({ host: 'never-seen', pid: 1, started: 'never' }),
  ownerState: () => 'dead',
}))

const base = fs.mkdtempSync(join(tmpdir(), 'faults-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

/** Something done to a folder, and how to see what came of it; the two outcomes are found by doing it without a fault. */
interface Operation {
  name: string
  prepare(root: string): void
  act(root: string): void
  observe(root: string): unknown
}

function inWorkspace<T>(root: string, use: (workspace: Workspace) => T): T {
  const workspace = Workspace.open(root, { create: true })
  try {
    return use(workspace)
  } finally {
    workspace.close()
  }
}

function withRun(root: string): void {
  inWorkspace(root, (w) => w.runs.create({ subject: 's1', preset: 'demo', config: { seed: 1 } }))
}

const everything = (w: Workspace) => ({
  problems: w.problems,
  subjects: w.subjects.list().map(({ id, manifest, folder }) => ({
    id,
    manifest,
    files: fs.readdirSync(folder).map((name) => [name, fs.readFileSync(join(folder, name), 'utf8').length]),
  })),
  runs: w.runs.list().map(({ subject, state, config, summary, error }) => ({ subject, state, config, summary, error })),
})

const operations: Operation[] = [
  {
    name: 'replace a file in three writes',
    prepare: (root) => fs.writeFileSync(join(root, 'x.json'), 'old'),
    act(root) {
      const file = openAtomic(join(root, 'x.json'))
      try {
        for (const part of ['new ', 'and ', 'longer']) file.write(part)
      } catch (error) {
        file.discard()
        throw error
      }
      file.commit()
    },
    observe: (root) => fs.readFileSync(join(root, 'x.json'), 'utf8'),
  },
  {
    name: 'make a new file',
    prepare: () => {},
    act: (root) => writeFileAtomic(join(root, 'x.bin'), new Uint8Array(100_000).fill(7)),
    observe: (root) => fs.existsSync(join(root, 'x.bin')) && fs.readFileSync(join(root, 'x.bin')).every((b) => b === 7),
  },
  {
    name: 'create a workspace',
    prepare: () => {},
    act: (root) => inWorkspace(root, () => {}),
    // A half-made one must open again, as a new one would.
    observe: (root) => inWorkspace(root, everything),
  },
  {
    name: 'import a subject of 12 files',
    prepare: (root) => inWorkspace(root, () => {}),
    act(root) {
      inWorkspace(root, (w) => {
        const staged = w.subjects.stage('s1')
        fs.writeFileSync(join(staged.folder, 'subject.json'), '{"voxelCount":3}')
        for (let i = 0; i < 11; i++) fs.writeFileSync(join(staged.folder, `part${i}.npy`), 'v'.repeat(1000 + i))
        staged.commit()
      })
    },
    observe: (root) => inWorkspace(root, everything),
  },
  {
    name: 'remove a subject',
    prepare(root) {
      inWorkspace(root, (w) => {
        const staged = w.subjects.stage('s1')
        fs.writeFileSync(join(staged.folder, 'subject.json'), '{}')
        staged.commit()
      })
    },
    act: (root) => inWorkspace(root, (w) => w.subjects.remove('s1')),
    observe: (root) => inWorkspace(root, everything),
  },
  {
    name: 'create a run',
    prepare: (root) => inWorkspace(root, () => {}),
    act: withRun,
    observe: (root) => inWorkspace(root, everything),
  },
  {
    name: 'update a run',
    prepare: withRun,
    act(root) {
      inWorkspace(root, (w) => w.runs.update(w.runs.list()[0].id, { summary: { epochs: 3, note: 'x'.repeat(5000) } }))
    },
    observe: (root) => inWorkspace(root, everything),
  },
  {
    name: 'delete a run',
    prepare: withRun,
    act: (root) => inWorkspace(root, (w) => w.runs.delete(w.runs.list()[0].id)),
    observe: (root) => inWorkspace(root, everything),
  },
]

/** error: one call fails, the process lives; crash: it dies; the last two lose power as well, after so many calls. */
const variants = ['error', 'crash', 'power lost'] as const

let injected = 0
const outcomes = { old: 0, new: 0, bad: 0 }

describe('a fault at the n-th disk call, n = 1, 2, … until success', () => {
  test.each(operations)('$name', ({ name, prepare, act, observe }) => {
    const template = join(base, `${name}-template`)
    fs.mkdirSync(template)
    prepare(template)
    const copy = (label: string) => {
      const root = join(base, `${name}-${label}`)
      fs.cpSync(template, root, { recursive: true })
      return root
    }
    const before = observe(copy('before'))
    const afterRoot = copy('after')
    act(afterRoot)
    const after = observe(afterRoot)

    for (const variant of variants)
      for (let n = 1, done = false; !done; n++) {
        const root = copy('trial')
        const fault: Fault = { kind: variant === 'error' ? 'error' : 'crash', at: n }
        const disk = new FaultyDisk(root)
        const { error } = disk.during(fault, () => act(root))
        done = !disk.fired
        if (variant === 'power lost') disk.losePower()
        disk.tidy()
        const seen = observe(root)
        if (disk.fired) injected++
        const isOld = isEqual(seen, before)
        const isNew = isEqual(seen, after)
        outcomes[isNew ? 'new' : isOld ? 'old' : 'bad']++
        expect(isOld || isNew, `${variant} at call ${n}: ${JSON.stringify(seen)}`).toBe(true)
        // What was reported as done is done, even if the power fails the next moment.
        if (error === undefined) expect(seen, `${variant} at call ${n}`).toEqual(after)
        if (fs.existsSync(join(root, 'workspace.json'))) expect(leftovers(root), `${variant} at call ${n}`).toEqual([])
        fs.rmSync(root, { recursive: true })
      }
  })

  test('counts', () => {
    console.log(`${injected} injected faults: ${outcomes.old} old states, ${outcomes.new} new, ${outcomes.bad} bad`)
    expect(outcomes.bad).toBe(0)
    expect(injected).toBeGreaterThan(250)
    expect(outcomes.old).toBeGreaterThan(100)
  })
})

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function leftovers(root: string): string[] {
  return ['.', 'subjects', 'runs'].flatMap((folder) =>
    fs.existsSync(join(root, folder)) ? fs.readdirSync(join(root, folder)).filter(isTemporary) : [],
  )
}
