/**
 * TensorFlow's CUDA build beside the one that came with the app: fetched into the user's cache, tried once, and from then on
 * what engine processes load. The app's own binding serves both, since it asks for the library by name only.
 */
import { spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cacheDir, entryOf, TENSORFLOW_VERSION, wantedBuild } from '../../scripts/setup/stamp.mjs'
import { MindEyeError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/files.ts'
import { layout } from '../base/layout.ts'
import type { RunOptions } from '../base/progress.ts'
import { nodeBinary } from './channel.ts'
import type { KernelCheck } from './kernelCheck.ts'
import { runChild } from './runChild.ts'

/** Downloads of 3.4 GB, unpacked beside them. */
const DISK_BYTES = 10e9
const CHECK_TIMEOUT_MS = 180_000

const entry = () => entryOf(cacheDir(), TENSORFLOW_VERSION, 'cuda')
/** Written when the library has loaded and computed; without it no engine process is given the library. */
const mark = () => join(entry(), 'works.json')

/** The folder of a CUDA build that was fetched by the app and works, else undefined. */
export function fetchedCuda(): string | undefined {
  return existsSync(mark()) ? join(entry(), 'deps') : undefined
}

/** What the loader of an engine process must be told to take the fetched build; nothing where there is none or no card. */
export function libraryEnvironment(): Record<string, string> {
  const folder = fetchedCuda()
  return folder && wantedBuild() === 'cuda' ? loaderPath(folder) : {}
}

function loaderPath(folder: string): Record<string, string> {
  const { LD_LIBRARY_PATH } = process.env
  return { LD_LIBRARY_PATH: [join(folder, 'lib'), ...(LD_LIBRARY_PATH ? [LD_LIBRARY_PATH] : [])].join(delimiter) }
}

interface FetchOptions extends Pick<RunOptions, 'signal' | 'progress'> {
  log(line: string): void
  /** Free disk space to ask for. */
  diskBytes?: number
}

/**
 * Fetches the build unless the cache has it, and tries it. What is complete of the download stays when it is cancelled or fails,
 * and the next call goes on from there. Throws a `MindEyeError` that says what was missing.
 */
export async function fetchCuda(options: FetchOptions): Promise<KernelCheck> {
  await runScript(options)
  options.progress({ phase: 'trying it', done: 0, total: 0 })
  const child = await runChild(nodeBinary(), [layout.entry('kernelCheck')], CHECK_TIMEOUT_MS, {
    ...process.env,
    ...loaderPath(join(entry(), 'deps')),
  })
  const check = child.death ? undefined : (JSON.parse(child.out.trim().split('\n').at(-1) ?? '') as KernelCheck)
  if (check?.backend.name !== 'tensorflow' || !check.correct)
    throw new MindEyeError({
      kind: 'engine',
      where: entry(),
      expected: 'a TensorFlow that loads and computes',
      found: child.death ?? check?.backend.reason ?? 'a wrong product of two matrices',
      fix: 'The app goes on with the library that came with it. `mindeye gpu --remove` gives the space back.',
    })
  writeFileAtomic(mark(), JSON.stringify({ at: new Date().toISOString(), backend: check.backend }))
  return check
}

/** Deletes what `fetchCuda` has fetched, not what set-up has; engine processes that have it loaded keep it until they end. */
export function removeCuda(): void {
  if (fetchedCuda()) {
    rmSync(mark()) // first, so that none starts on half a library
    rmSync(entry(), { recursive: true, force: true })
  }
  rmSync(join(cacheDir(), `download-${TENSORFLOW_VERSION}-cuda`), { recursive: true, force: true })
}

type Message =
  { say: string } | { phase: string; done: number; total: number } | { end: string; found?: string; fix?: string }

/** Runs set-up's script as a process of its own: it unpacks gigabytes and cleans up when it is stopped. */
async function runScript({ signal, progress, log, diskBytes = DISK_BYTES }: FetchOptions): Promise<void> {
  signal.throwIfAborted()
  const script = join(layout.root, 'scripts', 'setup', 'cuda.mjs')
  const child = spawn(nodeBinary(), [script, String(diskBytes)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let end: { end: string; found?: string; fix?: string } | undefined
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-2000)))
  child.on('message', (raw) => {
    const message = raw as Message
    if ('say' in message) log(message.say)
    else if ('end' in message) end = message
    else progress(message)
  })
  const stop = () => child.kill('SIGTERM')
  signal.addEventListener('abort', stop)
  const code = await new Promise<number | string | null>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, name) => resolve(name ?? code))
  })
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  if (end?.end === 'done') return
  throw new MindEyeError({
    kind: 'state',
    where: 'the CUDA build of TensorFlow',
    expected: 'to fetch it from the Python package index',
    found: end?.found ?? `that the process ended (${code}) ${words.trim()}`.trim(),
    fix: end?.fix ?? 'Check the network and pip’s settings, then try again: what is downloaded is kept.',
  })
}
