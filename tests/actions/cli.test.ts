import { spawn, type ChildProcessByStdio } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { fieldsOf } from '../../src-main/actions/fields.ts'
import { actions } from '../../src-main/actions/index.ts'
import type { ErrorParts } from '../../src-main/base/errors.ts'
import { nodeBinary } from '../../src-main/engine/channel.ts'
import { readCommand } from '../../src-main/hosts/commandLine.ts'
import { UsageError } from '../../src-main/hosts/commands.ts'
import { formatProgress, Terminal } from '../../src-main/hosts/terminal.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { trialActions } from './trialCli.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'cli-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const real = fileURLToPath(new URL('../../src-main/hosts/cli.ts', import.meta.url))
const trial = fileURLToPath(new URL('trialCli.ts', import.meta.url))

/** As `hosts/cli.ts` does it for itself. */
const compiled = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

interface Outcome {
  code: number | null
  out: string
  err: string
}

class Command {
  out = ''
  err = ''
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly end: Promise<Outcome>

  constructor(entry: string, args: string[]) {
    const env = { ...process.env, NODE_COMPILE_CACHE: compiled }
    this.child = spawn(nodeBinary(), [entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.child.stdout.on('data', (text: Buffer) => (this.out += text.toString()))
    this.child.stderr.on('data', (text: Buffer) => (this.err += text.toString()))
    this.end = new Promise((resolve) =>
      this.child.on('close', (code) => resolve({ code, out: this.out, err: this.err })),
    )
  }

  /** Resolves once stderr matches. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.err)
      if (match) return match
      if (this.child.exitCode !== null) throw new Error(`ended without saying ${pattern.source}: ${this.err}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

const mindeye = (...args: string[]) => new Command(real, args).end
const run = (...args: string[]) => new Command(trial, args).end

function lastJson(out: string): unknown {
  return JSON.parse(out.trimEnd().split('\n').at(-1)!)
}

function errorOf({ out }: Outcome): ErrorParts & { message: string } {
  return (lastJson(out) as { error: ErrorParts & { message: string } }).error
}

describe('words and options become input', () => {
  const inputOf = async (...args: string[]) => {
    const call = await readCommand(trialActions, ['echo', ...args])
    return call?.input
  }
  const defaults = { top: [1, 3], batchSize: 32, dryRun: false, average: true }

  test('through the real command line', async () => {
    const { out, err, code } = await run('echo', 'a.mat', '--top', '5', '--json')
    expect({ err, code }).toEqual({ err: '', code: 0 })
    expect(lastJson(out)).toEqual({ ...defaults, paths: ['a.mat'], top: [5] })
  })

  test('defaults', async () => {
    expect(await inputOf('a.mat', 'b c.mat')).toEqual({ ...defaults, paths: ['a.mat', 'b c.mat'] })
  })

  test('every kind of option, in any order around the words', async () => {
    const input = await inputOf(
      ...['--batch-size', '8', 'a.mat', '--top', '1,5,10', '--layout', 'nsd', '--dry-run', '--no-average'],
      ...['--set', 'lr=3e-4', 'preset=demo', '--set', 'mixco=false', 'note=a=b', 'b.mat', '--workspace', '/w 1'],
    )
    expect(input).toEqual({
      paths: ['a.mat', 'b.mat'],
      batchSize: 8,
      top: [1, 5, 10],
      layout: 'nsd',
      dryRun: true,
      average: false,
      set: { lr: 3e-4, preset: 'demo', mixco: false, note: 'a=b' },
      workspace: '/w 1',
    })
  })

  test('pairs may come repeated or in a row, before the words they must not swallow', async () => {
    const map = ['voxels.train=a', 'stimuli.train=b']
    for (const args of [
      ['--map', ...map, 'x.npz'],
      ['--map', map[0], '--map', map[1], 'x.npz'],
      ['x.npz', '--map', ...map],
    ])
      expect(await inputOf(...args)).toEqual({ ...defaults, paths: ['x.npz'], map })
  })
})

describe('a wrong command line', () => {
  test.each([
    [['echo'], 'PATHS', 'a value', 'nothing'],
    [['echo', 'a', '--batch-size', 'many'], '--batch-size', 'a number', '"many"'],
    [['echo', 'a', '--batch-size', '0'], '--batch-size', 'at least 1', '0'],
    [['echo', 'a', '--batch-size', '1.5'], '--batch-size', 'a whole number', '1.5'],
    [['echo', 'a', '--top', '1,x'], '--top', 'a number', '"x"'],
    [['echo', 'a', '--layout', 'zip'], '--layout', 'one of webdataset, hdf5, nsd', '"zip"'],
    [['echo', 'a', '--set', 'lr'], '--set', 'name=value', "'lr'"],
    [['fail', 'bug', 'more'], 'the command line', 'a command and its options', /too many arguments/],
    [['ecko'], 'the command line', 'a command and its options', /unknown command 'ecko' \(Did you mean echo\?\)/],
    [['echo', 'a', '--tops', '1'], 'the command line', 'a command and its options', /unknown option '--tops'.*--top\?/],
  ] as const)('%j', async (args, where, expected, found) => {
    const error: unknown = await readCommand(trialActions, [...args]).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(UsageError)
    const { parts } = (error as UsageError).cause
    expect(parts).toMatchObject({ kind: 'input', where, expected })
    expect(parts.found).toMatch(typeof found === 'string' ? new RegExp(`^${found}$`) : found)
  })

  test('exits with 2 and is told in JSON as well', async () => {
    const outcome = await run('echo', 'a', '--layout', 'zip', '--json')
    expect(outcome.code).toBe(2)
    expect(errorOf(outcome)).toMatchObject({ kind: 'input', where: '--layout', found: '"zip"' })
    expect(outcome.err).toBe(
      'error: --layout: expected one of webdataset, hdf5, nsd, found "zip"\n  fix: See `mindeye echo --help`.\n',
    )
  })

  test('all wrong fields are told at once', async () => {
    const { err } = await run('echo', 'a', '--batch-size', 'x', '--layout', 'zip')
    expect(err).toMatch(/--batch-size: expected a number.*\n.*--layout: expected one of/)
  })
})

describe('results and failures', () => {
  test('a failure tells its parts, with the fix, and exits with 1; stdout holds JSON only', async () => {
    const outcome = await run('fail', 'format', '--json')
    expect(outcome.code).toBe(1)
    expect(outcome.out.trimEnd().split('\n')).toHaveLength(1)
    expect(errorOf(outcome)).toMatchObject({
      kind: 'format',
      where: 'x.npy',
      field: 'dtype',
      fix: 'Save it as float32.',
    })
    expect(outcome.err).toBe(
      "about to fail\nerror: x.npy, dtype: expected '<f4', found '<c8'\n  fix: Save it as float32.\n",
    )
  })

  test('without --json nothing goes to stdout on failure', async () => {
    expect((await run('fail', 'format')).out).toBe('')
  })

  test('a fault of the program says so and shows its stack', async () => {
    const { err, code } = await run('fail', 'bug')
    expect(code).toBe(1)
    expect(err).toMatch(
      /found x is undefined\n {2}fix: This is a fault of the program.*\nTypeError: x is undefined\n +at /,
    )
  })

  test('a full disk is told in words', async () => {
    expect((await run('fail', 'disk')).err).toContain(
      'error: /data/x: expected to use the disk, found that the disk is full',
    )
  })

  test('an action may choose its exit code and its text', async () => {
    expect(await run('fail', 'unhealthy')).toEqual({ code: 1, out: 'not well\n', err: 'about to fail\n' })
  })
})

describe('stopping', () => {
  const runsOf = (path: string) => {
    const workspace = Workspace.open(path)
    const found = { runs: workspace.runs.list(), jobs: workspace.jobs.list() }
    workspace.close()
    return found
  }
  const isRunning = (pid: number) => fs.existsSync(`/proc/${pid}`)

  test('Ctrl-C stops tidily: the run is cancelled, the engine ended', async () => {
    const path = join(base, 'cancel')
    const command = new Command(trial, ['wait', '--workspace', path, '--json'])
    const [, pid] = await command.says(/engine pid (\d+)/)
    expect(runsOf(path).runs[0].state).toBe('running')
    command.child.kill('SIGINT')
    const outcome = await command.end
    expect(outcome.code).toBe(130)
    expect(errorOf(outcome).kind).toBe('aborted')
    const { runs, jobs } = runsOf(path)
    expect(runs[0].state).toBe('cancelled')
    expect(jobs[0]).toMatchObject({ state: 'cancelled', run: runs[0].id, progress: { phase: 'wait' } })
    expect(isRunning(Number(pid))).toBe(false)
  })

  test('a second Ctrl-C ends what does not listen; the run is interrupted and can be resumed', async () => {
    const path = join(base, 'kill')
    const command = new Command(trial, ['wait', '--workspace', path, '--stubborn'])
    await command.says(/engine pid/)
    command.child.kill('SIGINT')
    await command.says(/stopping/)
    command.child.kill('SIGINT')
    expect((await command.end).code).toBe(130)
    const [{ id, state }] = runsOf(path).runs
    expect(state).toBe('interrupted')
    const { out } = await mindeye('runs', '--workspace', path)
    expect(out).toMatch(/interrupted +s1 +demo/)
    expect(out).toContain(`resume with: mindeye train --workspace ${path} --resume ${id}`)
  })

  test('kill -9 leaves an interrupted run and job, and no engine process', async () => {
    const path = join(base, 'kill9')
    const command = new Command(trial, ['wait', '--workspace', path])
    const [, pid] = await command.says(/engine pid (\d+)/)
    command.child.kill('SIGKILL')
    await command.end
    const { runs, jobs } = runsOf(path)
    expect([runs[0].state, jobs[0].state]).toEqual(['interrupted', 'interrupted'])
    for (let i = 0; i < 300 && isRunning(Number(pid)); i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(isRunning(Number(pid))).toBe(false)
  })
})

describe('mindeye runs', () => {
  test('list, show and delete', async () => {
    const path = join(base, 'runs')
    const workspace = Workspace.open(path, { create: true })
    const { id } = workspace.runs.create({
      subject: 's1',
      preset: 'small-study',
      config: { seed: 7, split: 'shipped' },
    })
    workspace.runs.claim(id)
    workspace.runs.finish(id, 'done')
    workspace.runs.update(id, { summary: { top1: 0.75 } })
    workspace.close()

    const list = await mindeye('runs', '--workspace', path)
    expect(list).toMatchObject({ code: 0, err: '' })
    expect(list.out).toMatch(new RegExp(`^RUN +STATE +SUBJECT +PRESET +STARTED\n${id} +done +s1 +small-study +20`))
    expect(lastJson((await mindeye('runs', 'list', '--workspace', path, '--json')).out)).toMatchObject({
      runs: [{ id, state: 'done', summary: { top1: 0.75 }, folder: join(path, 'runs', id) }],
    })
    expect((await mindeye('runs', '--workspace', path, 'show', id)).out).toMatch(
      /config\.split +shipped\nsummary\.top1 +0\.75/,
    )
    expect((await mindeye('runs', 'show', '--workspace', path)).code).toBe(2)
    expect(lastJson((await mindeye('runs', 'delete', id, '--workspace', path, '--json')).out)).toEqual({ deleted: id })
    const missing = await mindeye('runs', 'show', id, '--workspace', path, '--json')
    expect(missing.code).toBe(1)
    expect(errorOf(missing).found).toBe(`'${id}'`)
    expect((await mindeye('runs', '--workspace', path)).out).toContain('No runs yet')
  })

  test('a workspace that is not there is refused and not made', async () => {
    const path = join(base, 'typo')
    const outcome = await mindeye('runs', '--workspace', path, '--json')
    expect(outcome.code).toBe(1)
    expect(errorOf(outcome)).toMatchObject({ where: path, expected: 'a workspace', found: 'no such folder' })
    expect(fs.existsSync(path)).toBe(false)
  })

  test('help lists every action; each has its own; nothing goes to stderr', async () => {
    const help = await mindeye()
    expect(help).toEqual(await mindeye('help'))
    expect(help).toMatchObject({ code: 0, err: '' })
    for (const { name } of actions) expect(help.out).toMatch(new RegExp(`^  ${name} `, 'm'))
    const own = await mindeye('runs', '--help')
    expect(own.out).toMatch(/--workspace <value> +the workspace folder \(required\)/)
  })

  test('starts quickly', async () => {
    const path = join(base, 'quick')
    Workspace.open(path, { create: true }).close()
    const times: number[] = []
    for (let i = 0; i < 4; i++) {
      const begin = performance.now()
      await mindeye('runs', '--workspace', path)
      times.push(performance.now() - begin)
    }
    console.log(`mindeye runs: ${times.map((t) => t.toFixed(0)).join(', ')} ms`)
    // The promise is 300 ms; a loaded test machine gets five times that.
    expect(Math.min(...times)).toBeLessThan(1500)
  })
})

describe('what an action needs for its command', () => {
  test.each(actions.map((action) => [action.name, action] as const))('%s describes its fields', (_, action) => {
    expect(action.summary).toMatch(/^[A-Z].*\.$/)
    for (const field of fieldsOf(action)) expect(field.description, field.name).not.toBe('')
  })
})

describe('progress on stderr', () => {
  test('elsewhere than on a terminal: begin, end, and a line every 10 s', () => {
    const lines: string[] = []
    let now = 0
    const terminal = new Terminal({ write: (text: string) => lines.push(text) }, () => now)
    for (let i = 0; i <= 25; i++, now += 1000) terminal.progress({ phase: 'train', done: i, total: 25 })
    for (const phase of ['save', 'a phase of no time']) terminal.progress({ phase, done: 0, total: 0 })
    expect(lines).toEqual([
      'train  0 % (0/25)\n',
      'train  40 % (10/25)  15 s left\n',
      'train  80 % (20/25)  5 s left\n',
      'train  100 % (25/25)\n',
      'save\n',
    ])
  })

  test('on a terminal: one line, cut to the width, and log lines above it', () => {
    let text = ''
    const terminal = new Terminal({ isTTY: true, columns: 20, write: (more: string) => (text += more) }, () => 0)
    terminal.progress({ phase: 'a phase with a very long name', done: 0, total: 9 })
    terminal.log('note')
    terminal.end()
    const line = 'a phase with a very'
    expect(text).toBe(`\r\x1b[2K${line}\r\x1b[2Knote\n\r\x1b[2K${line}\r\x1b[2K`)
    expect(line.length).toBeLessThan(20)
  })

  test('values', () => {
    const values = { epoch: 3, loss: 1.23456, lr: 3e-4, bad: NaN }
    expect(formatProgress({ phase: 'train', done: 1, total: 3, values }, 65)).toBe(
      'train  33 % (1/3)  1 min 05 s left  epoch 3  loss 1.235  lr 3.0e-4  bad NaN',
    )
  })
})
