/**
 * The HDF5 C library as WebAssembly (h5wasm's Node build, which reads the real file by offset), made fit for files that nobody has
 * vouched for: its messages are caught, its failures become format errors, endless loops are stopped, and an instance that trapped
 * or was stopped is never used again. Files of unknown origin are opened in a process that can be killed all the same.
 */
import { closeSync } from 'node:fs'
import { Script } from 'node:vm'
import type * as H5wasm from 'h5wasm/node'
import { MindEyeError, formatError } from '../base/errors.ts'

export interface Hdf5Library {
  api: typeof H5wasm
  /** What the library wrote to stderr since the last call. */
  messages: string
  /** A trap leaves the library's memory in an unknown state. */
  dead: boolean
  /** Emscripten's open files; `nfd` is Node's descriptor. */
  streams: ({ nfd?: number; stream_ops?: object; node?: object } | null)[]
}

let current: Promise<Hdf5Library> | undefined
let instances = 0

/** The shared instance; a new one after a trap (about 40 ms). */
export function loadLibrary(): Promise<Hdf5Library> {
  current ??= instantiate()
  return current
}

async function instantiate(): Promise<Hdf5Library> {
  // The query makes Node evaluate the module again, which is how h5wasm gives out a fresh instance.
  const api = (await import(`${import.meta.resolve('h5wasm/node')}?${instances++}`)) as typeof H5wasm
  const module = await api.ready
  const { streams } = module.FS as unknown as Pick<Hdf5Library, 'streams'>
  const library: Hdf5Library = { api, messages: '', dead: false, streams }
  // The library prints its error stack to stream 2; caught here it gives the reason instead of noise.
  const stderr = streams[2] ?? {}
  stderr.node = { mode: 0o20666 }
  stderr.stream_ops = {
    write(_: unknown, bytes: Uint8Array, offset: number, length: number) {
      if (library.messages.length < 100_000)
        library.messages += String.fromCharCode(...bytes.slice(offset, offset + length))
      return length
    },
  }
  return library
}

/** Runs one call into the library; whatever it throws comes out as a format error about `field` of `where`. */
export function guarded<T>(library: Hdf5Library, where: string, field: string, run: () => T): T {
  if (library.dead)
    throw new MindEyeError({
      kind: 'state',
      where,
      expected: 'a working HDF5 library',
      found: 'one that a damaged file has stopped',
      fix: 'Open the file again.',
    })
  library.messages = ''
  try {
    const result = run()
    // h5wasm ignores most of the library's return codes, so its error stack is what tells a failure.
    if (library.messages.includes('HDF5-DIAG')) throw damaged(library, where, field, 'a failed call')
    return result
  } catch (error) {
    if (error instanceof MindEyeError) throw error
    const name = error instanceof Error ? error.name : ''
    if (name === 'RuntimeError' || name === 'RangeError') retire(library)
    throw damaged(library, where, field, error instanceof Error ? error.message : String(error))
  }
}

const slot: { task?: () => void } = {}
Object.defineProperty(globalThis, Symbol.for('mindeye.hdf5'), { value: slot })
const timedTask = new Script('globalThis[Symbol.for("mindeye.hdf5")].task()')

/**
 * Runs calls into the library that follow pointers (headers, trees, texts) and stops them after a time that grows with the file: 1.5 s, and 1 s more per megabyte, so that only
 * a loop or a disk that does not answer takes as long. Stopping works inside WebAssembly, which `vm` alone can do in one
 * thread; it costs a thread each time, so plain reads of numbers go without.
 */
export function withinTime<T>(library: Hdf5Library, where: string, field: string, fileSize: number, run: () => T): T {
  const results: T[] = []
  slot.task = () => results.push(run())
  const timeout = Math.min(1500 + Math.ceil(fileSize / 1000), 2 ** 31 - 1)
  try {
    timedTask.runInThisContext({ timeout })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')) throw error
    retire(library)
    throw formatError(
      where,
      field,
      `an answer within ${timeout} ms`,
      'none',
      'The file is damaged, or its disk does not respond: try again.',
    )
  } finally {
    slot.task = undefined
  }
  return results[0]
}

/** An instance in an unknown state is left alone; its descriptors are closed. */
function retire(library: Hdf5Library): void {
  library.dead = true
  current = undefined
  for (const stream of library.streams) if (stream?.nfd && stream.nfd > 2) closeSync(stream.nfd)
}

/** The error for a call that failed; the deepest entry of the library's error stack is the most telling one. */
export function damaged(library: Hdf5Library, where: string, field: string, fallback: string): MindEyeError {
  const stack = [...library.messages.matchAll(/#\d+: .*?\(\): (.*)/g)]
  const reason = stack.at(-1)?.[1] ?? fallback.split('\n')[0]
  return formatError(
    where,
    field,
    'readable HDF5 data',
    `"${reason}"`,
    'The file is cut short, damaged or uses a missing filter.',
  )
}
