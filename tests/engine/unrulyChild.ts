import { serve } from '../../src-main/base/serve.ts'
import { formatError } from '../../src-main/base/errors.ts'

/** A child process that misbehaves on request: what the channel has to survive. */
export interface UnrulyMethods {
  ping(params: object): number
  double(params: { values: Float32Array; labels: Map<string, Int16Array> }): {
    values: Float32Array
    labels: Map<string, Int16Array>
  }
  count(params: { to: number }): number
  crash(params: object): void
  killed(params: object): void
  exit(params: { code: number; words: string }): void
  spin(params: object): void
  heap(params: object): number
  buffer(params: object): number
  complain(params: object): void
  noise(params: object): void
  waitForAbort(params: object): string
  ignoreSigterm(params: object): void
}

serve<UnrulyMethods>({
  ping: () => process.pid,
  double: ({ values, labels }) => ({ values: values.map((x) => 2 * x), labels }),
  async count({ to }, { signal, progress }) {
    for (let i = 1; i <= to; i++) {
      signal.throwIfAborted()
      progress({ phase: 'count', done: i, total: to, values: { square: i * i } })
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    return to
  },
  crash: () => process.abort(),
  killed() {
    process.kill(process.pid, 'SIGKILL')
    for (;;);
  },
  exit({ code, words }) {
    process.stderr.write(`${words}\n`)
    process.exit(code)
  },
  spin() {
    for (;;);
  },
  heap() {
    const hoard: number[][] = []
    for (;;) hoard.push(Array.from({ length: 10_000 }, (_, i) => i + hoard.length))
  },
  buffer: () => new Float64Array(2 ** 45).length,
  complain() {
    throw formatError('voxels.npy', 'header length', 'at most 65535', '70000', 'Write the file again.')
  },
  noise() {
    process.stderr.write('I0000 cpu_feature_guard.cc:210] This TensorFlow binary is optimized to use available CPU\n')
    process.stderr.write('a real line\n')
  },
  waitForAbort: (_, { signal }) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve('tidied up'), { once: true })),
  ignoreSigterm() {
    process.on('SIGTERM', () => {})
  },
})
