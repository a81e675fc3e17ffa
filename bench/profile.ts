/**
 * Where the time of a piece of work goes: TensorFlow's operations by time, and what is left to JavaScript. It wraps the binding's
 * calls, since V8's own sampling profiler corrupts memory under oneDNN's products on some processors.
 */
import * as tf from '@tensorflow/tfjs-core'
import { formatTable } from '../src-main/actions/table.ts'

interface TensorMetadata {
  id: number
  shape: number[]
}

interface Binding {
  executeOp(name: string, attributes: unknown[], inputs: number[], outputs: number): TensorMetadata[]
  createTensor(shape: number[], dtype: number, values: unknown): number
  tensorDataSync(id: number): unknown
  deleteTensor(id: number): void
}

interface Spent {
  calls: number
  ms: number
}

const COSTLIEST = 20

/**
 * Counts from its making on; there is no way back to the bare binding, so a profiled process measures nothing else.
 * On a graphics card operations return before they are done, and the time shows where their result is first needed.
 */
export class Profile {
  private readonly start = performance.now()
  private readonly byOp = new Map<string, Spent>()
  private readonly byShapes = new Map<string, Spent>()
  private readonly shapeOf = new Map<number, string>()

  constructor() {
    const backend = tf.backend() as unknown as { binding: Binding }
    const { binding } = backend
    if (!binding) throw new Error('only TensorFlow can be profiled: the plain backend has no operations')
    // The binding is not extensible, so that its functions go into an object of our own.
    const names = Object.getOwnPropertyNames(binding) as (keyof Binding)[]
    const copy = Object.fromEntries(names.map((name) => [name, binding[name]])) as unknown as Binding
    copy.executeOp = (op, attributes, inputs, outputs) => {
      const made = this.timed([op, () => `${op} ${this.shapes(inputs)}`], () =>
        binding.executeOp(op, attributes, inputs, outputs),
      )
      for (const { id, shape } of made) this.shapeOf.set(id, `[${shape}]`)
      return made
    }
    copy.createTensor = (shape, dtype, values) => {
      const id = this.timed(['(upload)', () => `(upload) [${shape}]`], () => binding.createTensor(shape, dtype, values))
      this.shapeOf.set(id, `[${shape}]`)
      return id
    }
    copy.tensorDataSync = (id) =>
      this.timed(['(download)', () => `(download) ${this.shapes([id])}`], () => binding.tensorDataSync(id))
    copy.deleteTensor = (id) => {
      this.timed(['(free)', () => `(free) ${this.shapes([id])}`], () => binding.deleteTensor(id))
      this.shapeOf.delete(id)
    }
    backend.binding = copy
  }

  private shapes(ids: readonly number[]): string {
    return ids.map((id) => this.shapeOf.get(id) ?? '[?]').join(' ')
  }

  private timed<T>([op, withShapes]: [string, () => string], run: () => T): T {
    const key = withShapes()
    const start = performance.now()
    const result = run()
    const ms = performance.now() - start
    for (const [map, name] of [
      [this.byOp, op],
      [this.byShapes, key],
    ] as const) {
      const spent = map.get(name) ?? { calls: 0, ms: 0 }
      map.set(name, { calls: spent.calls + 1, ms: spent.ms + ms })
    }
    return result
  }

  /** Calls and milliseconds per step, given how many steps ran since this began. Shapes are those of an operation's inputs. */
  table(steps: number): string {
    const total = performance.now() - this.start
    const spent = [...this.byOp.values()].reduce((sum, { ms }) => sum + ms, 0)
    const rows = (map: Map<string, Spent>, count: number) =>
      [...map]
        .sort(([, a], [, b]) => b.ms - a.ms)
        .slice(0, count)
        .map(([name, { calls, ms }]) => row(name, (calls / steps).toFixed(0), ms))
    const row = (name: string, calls: string, ms: number) => [
      name,
      calls,
      (ms / steps).toFixed(1),
      `${((100 * ms) / total).toFixed(1)} %`,
    ]
    const headers = ['CALLS', 'MS', 'SHARE']
    return [
      formatTable(
        ['OPERATION', ...headers],
        [...rows(this.byOp, Infinity), row('(JavaScript)', '–', total - spent), row('one step', '–', total)],
      ),
      '',
      formatTable([`COSTLIEST ${COSTLIEST} WITH SHAPES`, ...headers], rows(this.byShapes, COSTLIEST)),
    ].join('\n')
  }
}
