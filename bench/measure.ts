/**
 * What the benchmarks of our side share: arguments, warm-up, timing, memory, one JSON line. A script says what to measure:
 *
 *     await benchmark({ sizes, batch: 32, prepare: (size, batch) => ({ parameters: 0, step: () => loss }) })
 *
 * and runs as `node bench/NAME.ts SIZE [--steps N] [--batch N] [--profile]`.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { loadBackend } from '../src-main/engine/backend.ts'
import { mean } from '../src-main/evaluation/statistics.ts'
import { Profile } from './profile.ts'

/** Steps that are run before any is counted. */
export const WARMUP = 2

/** What the last line of a measured process says, as JSON; ours and the peers' alike. */
export interface Measured {
  /** Median time of a step. */
  ms: number
  /** Median processor time of a step, all threads together: for comparing on a machine that is not quiet. */
  cpu_ms: number
  /** Peak resident memory above that of the loaded library, with everything that the work holds. */
  peak_mb: number
  /** Resident memory with the library loaded and nothing in it. */
  loaded_mb: number
  /** Of the library. */
  version: string
  threads: number
  /** Every counted step, ms. */
  times: number[]
}

export interface Workload<Size> {
  /** Hyper-parameters by name of size. */
  sizes: Record<string, Size>
  /** Default items per step. */
  batch: number
  /** Makes everything that a step needs. Runs once the backend is loaded. */
  prepare(size: Size, batch: number): Prepared | Promise<Prepared>
}

export interface Prepared {
  /** Numbers in the model, to see that both sides measure the same. */
  parameters: number
  /** One step, complete when it returns; a number that says that it computed (a loss, a sum). */
  step(): number | Promise<number>
}

/** A field of /proc/self/status in MB: `VmRSS`, resident memory; `VmHWM`, its peak. */
export const statusMb = (field: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length / 2
  return mean([sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]])
}

/** Measures one workload as the command line says and prints one JSON line (`Measured`), or with --profile a table. */
export async function benchmark<Size>({ sizes, batch, prepare }: Workload<Size>): Promise<void> {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      steps: { type: 'string', default: '5' },
      batch: { type: 'string', default: String(batch) },
      profile: { type: 'boolean', default: false },
    },
  })
  const [name = Object.keys(sizes)[0]] = positionals
  const size = sizes[name]
  if (!size) throw new Error(`no size is named ${name}: choose from ${Object.keys(sizes).join(', ')}`)

  const backend = await loadBackend()
  const loaded = statusMb('VmRSS')
  const { parameters, step } = await prepare(size, Number(options.batch))
  let value = 0
  for (let i = 0; i < WARMUP; i++) value = await step()

  const profile = options.profile ? new Profile() : undefined
  const [times, cpu]: [number[], number[]] = [[], []]
  for (let i = 0; i < Number(options.steps); i++) {
    const [start, startCpu] = [performance.now(), process.cpuUsage()]
    value = await step()
    times.push(performance.now() - start)
    const { user, system } = process.cpuUsage(startCpu)
    cpu.push((user + system) / 1000)
  }
  if (profile) {
    console.log(profile.table(times.length))
    return
  }
  const measured: Measured = {
    ms: median(times),
    cpu_ms: median(cpu),
    peak_mb: statusMb('VmHWM') - loaded,
    loaded_mb: loaded,
    version: backend.tensorflowVersion,
    threads: backend.threads,
    times: times.map((ms) => Number(ms.toFixed(1))),
  }
  console.log(JSON.stringify({ ...measured, size: name, batch: Number(options.batch), parameters, value }))
}
