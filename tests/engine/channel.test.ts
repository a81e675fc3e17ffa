import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import {
  nodeBinary,
  openChannel,
  ProcessDeath,
  type Channel,
  type ChannelOptions,
} from '../../src-main/engine/channel.ts'
import type { UnrulyMethods } from './unrulyChild.ts'
import { failure } from '../support/failure.ts'

const entry = fileURLToPath(new URL('unrulyChild.ts', import.meta.url))
const opened: Channel<UnrulyMethods>[] = []

function open(options: Partial<ChannelOptions> = {}): Channel<UnrulyMethods> {
  const channel = openChannel<UnrulyMethods>({ name: 'the unruly process', entry, ...options })
  opened.push(channel)
  return channel
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((channel) => channel.close()))
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean, ms = 5000): Promise<void> {
  const end = Date.now() + ms
  while (!condition()) {
    if (Date.now() > end) throw new Error(`condition did not hold within ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('a well-behaved call', () => {
  test('typed arrays and maps keep their type and values on the way there and back', async () => {
    const labels = new Map([['V1', Int16Array.of(-3, 300)]])
    const result = await open().call('double', { values: Float32Array.of(0.5, Infinity), labels })
    expect(result).toEqual({ values: Float32Array.of(1, Infinity), labels })
    expect(result.values).toBeInstanceOf(Float32Array)
  })

  test('progress arrives in order before the result; calls run side by side', async () => {
    const channel = open()
    const seen: number[] = []
    const counting = channel.call('count', { to: 20 }, { onProgress: (p) => seen.push(p.values!.square) })
    const pid = await channel.call('ping', {})
    expect(pid).toBe(channel.pid)
    expect(await counting).toBe(20)
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => (i + 1) ** 2))
  })

  test("the child's error keeps its parts and the process lives on", async () => {
    const channel = open()
    const error = await failure(channel.call('complain', {}))
    expect(error.parts).toEqual({
      kind: 'format',
      where: 'voxels.npy',
      field: 'header length',
      expected: 'at most 65535',
      found: '70000',
      fix: 'Write the file again.',
    })
    expect(channel.alive).toBe(true)
    expect(await channel.call('ping', {})).toBe(channel.pid)
  })

  test('another error of the child is an engine error', async () => {
    const error = await failure(open().call('buffer', {}))
    expect(error.parts.kind).toBe('engine')
    expect(error.parts.found).toMatch(/allocation|length/i)
  })

  test('an unknown method is refused by name', async () => {
    const channel = open() as unknown as Channel<{ toString(params: object): void }>
    const error = await failure(channel.call('toString', {}))
    expect(error.message).toContain('no handler for the method toString')
  })

  test("TensorFlow's greeting is dropped, other lines are passed on", async () => {
    const lines: string[] = []
    const channel = open({ onLine: (line) => lines.push(line) })
    await channel.call('noise', {})
    await channel.close()
    expect(lines).toEqual(['a real line'])
  })
})

describe('abort', () => {
  test('reaches the handler, which stops; the process lives on', async () => {
    const channel = open()
    const abort = new AbortController()
    const counting = channel.call('count', { to: 100_000 }, { signal: abort.signal, onProgress: () => abort.abort() })
    expect((await failure(counting)).parts.kind).toBe('aborted')
    expect(await channel.call('ping', {})).toBe(channel.pid)
  })

  test('a handler that answers an abort with a result has finished', async () => {
    const abort = new AbortController()
    const waiting = open().call('waitForAbort', {}, { signal: abort.signal })
    setTimeout(() => abort.abort(), 50)
    expect(await waiting).toBe('tidied up')
  })

  test('a call that cannot be interrupted is killed after the grace time', async () => {
    const channel = open()
    await channel.call('ping', {})
    const abort = new AbortController()
    const spinning = channel.call('spin', {}, { signal: abort.signal, abortGraceMs: 200 })
    abort.abort()
    const error = await failure(spinning)
    expect(error.parts.kind).toBe('aborted')
    expect(channel.alive).toBe(false)
    expect((error.cause as ProcessDeath).death.killedFor).toContain('spin did not stop within 200 ms')
  })

  test('an aborted signal starts nothing', async () => {
    const error = await failure(open().call('spin', {}, { signal: AbortSignal.abort() }))
    expect(error.parts.kind).toBe('aborted')
  })
})

describe('death of the child is survived and explained', () => {
  test.each([
    [
      'a crash in native code',
      (c: Channel<UnrulyMethods>) => c.call('crash', {}),
      /crash in native code \(SIGABRT\)/,
      /resume/,
    ],
    [
      'kill -9',
      (c: Channel<UnrulyMethods>) => c.call('killed', {}),
      /killed from outside \(SIGKILL\).*memory/,
      /free memory/,
    ],
    [
      'exit 3 with last words',
      (c: Channel<UnrulyMethods>) => c.call('exit', { code: 3, words: 'driver gone' }),
      /exit code 3 \(its last words: driver gone\)/,
      /resume/,
    ],
    [
      'exit 1 after a failed allocation',
      (c: Channel<UnrulyMethods>) => c.call('exit', { code: 1, words: 'OOM when allocating tensor with shape[4096]' }),
      /ran out of memory/,
      /smaller batch/,
    ],
  ] as const)('%s', async (_, act, found, fix) => {
    const channel = open()
    const bystander = channel.call('waitForAbort', {}).catch((e: unknown) => e)
    const error = await failure(act(channel))
    expect(error).toBeInstanceOf(ProcessDeath)
    expect(error.parts).toMatchObject({ kind: 'engine', where: 'the unruly process' })
    expect(error.parts.found).toMatch(found)
    expect(error.parts.fix).toMatch(fix)
    expect(await bystander).toBeInstanceOf(ProcessDeath)
    expect(channel.alive).toBe(false)
    await channel.exited
    expect(await failure(channel.call('ping', {}))).toBeInstanceOf(ProcessDeath)
    expect(await open().call('ping', {})).toBeGreaterThan(0)
  })

  test('a heap that outgrows its limit', async () => {
    const channel = open({ nodeFlags: ['--max-old-space-size=40'] })
    const error = await failure(channel.call('heap', {}))
    expect(error.parts.found).toMatch(/ran out of memory/)
    expect(error.parts.fix).toMatch(/smaller batch or model/)
  })

  test('an endless loop ends at the time limit', async () => {
    const channel = open()
    await channel.call('ping', {})
    const error = await failure(channel.call('spin', {}, { timeoutMs: 200 }))
    expect(error.parts.found).toMatch(/stopped because spin took longer than its limit of 200 ms/)
    expect(isRunning(channel.pid!)).toBe(false)
  })

  test('an entry that does not exist', async () => {
    const error = await failure(open({ entry: '/nowhere/entry.ts' }).call('ping', {}))
    expect(error.parts.found).toMatch(/exit code 1.*Cannot find module/s)
  })
})

describe('the end', () => {
  test('close kills a process that ignores SIGTERM', async () => {
    const channel = open({ killGraceMs: 100 })
    await channel.call('ignoreSigterm', {})
    await channel.close()
    expect(await channel.exited).toMatchObject({ signal: 'SIGKILL' })
    expect(isRunning(channel.pid!)).toBe(false)
  })

  test.each([
    ['idle', ''],
    ['in an endless loop', "channel.call('spin', {})"],
  ])('a child that is %s ends by itself when its parent is killed', async (_, act) => {
    const script = `
      import { openChannel } from ${JSON.stringify(new URL('../../src-main/engine/channel.ts', import.meta.url).href)}
      const channel = openChannel({ name: 'x', entry: ${JSON.stringify(entry)} })
      const pid = await channel.call('ping', {})
      ${act}
      setTimeout(() => console.log(pid), 100)`
    const parent = spawn(nodeBinary(), ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const childPid = await new Promise<number>((resolve) =>
      parent.stdout.once('data', (d: Buffer) => resolve(Number(d))),
    )
    expect(isRunning(childPid)).toBe(true)
    parent.kill('SIGKILL')
    await until(() => !isRunning(childPid))
  })
})
