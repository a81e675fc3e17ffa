/** Names for the tensors of a saved object, from their places in it. */
import { formatError } from '../base/errors.ts'
import type { ArrayEntry } from './array.ts'
import { Inert } from './inert.ts'
import { Tensor, tensorEntry } from './torchTensor.ts'

export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | TorchValue[]
  | Map<TorchValue, TorchValue>
  | Set<TorchValue>
  | Inert
  | ArrayEntry

/** Deepest nesting and most values, counted once for every path that leads to them: containers may be shared, even by themselves. */
const maxDepth = 100
const maxValues = 2_000_000

/**
 * Replaces tensors by entries named by their paths; where one stands at several places, each place has an entry. Stand-ins keep what
 * they hold, but of those only modules (saved whole, or as TorchScript) are looked into, since theirs are the parameters.
 */
export function nameTensors(where: string, object: unknown): { value: TorchValue; arrays: ArrayEntry[] } {
  const arrays: ArrayEntry[] = []
  const names = new Set<string>()
  const open = new Set<unknown>()
  let values = 0

  function visit(value: unknown, path: string): TorchValue {
    if (++values > maxValues) throw formatError(where, 'content', `at most ${maxValues} values`, 'more')
    if (value instanceof Tensor) return named(value, path)
    if (!isContainer(value) || open.has(value)) return value as TorchValue
    if (open.size >= maxDepth) throw formatError(where, 'content', `at most ${maxDepth} levels`, 'more')
    open.add(value)
    const result = visitContainer(value, path)
    open.delete(value)
    return result
  }

  function visitContainer(value: Container, path: string): TorchValue {
    // Numbers in long lists need no path.
    const inner = (item: unknown, key: unknown) =>
      visit(item, typeof item !== 'object' ? '' : path ? `${path}.${String(key)}` : String(key))
    if (Array.isArray(value)) return value.map(inner)
    if (value instanceof Set) return new Set([...value].map(inner))
    if (value instanceof Map)
      return new Map([...value].map(([key, item], i) => [plainKey(key), inner(item, isPlain(key) ? key : `key ${i}`)]))
    for (const [key, item] of moduleParts(value) ?? []) inner(item, key)
    return value
  }

  function named(tensor: Tensor, path: string): ArrayEntry {
    const name = path || 'tensor'
    if (names.has(name)) throw formatError(where, name.slice(0, 200), 'one tensor of that name', 'two')
    names.add(name)
    const entry = tensorEntry(tensor, name)
    arrays.push(entry)
    return entry
  }

  const value = visit(object, '')
  return { value, arrays }
}

type Container = unknown[] | Map<unknown, unknown> | Set<unknown> | Inert

const isContainer = (value: unknown): value is Container =>
  Array.isArray(value) || value instanceof Map || value instanceof Set || value instanceof Inert

const isPlain = (key: unknown): key is null | boolean | number | bigint | string =>
  key === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof key)

/** A tensor may be a key (optimizers do that), but then it has no name. */
const plainKey = (key: unknown): TorchValue =>
  isPlain(key) || key instanceof Inert ? key : new Inert('a key that is no text or number', 'instance')

/** Parameters, buffers and submodules of a module that was saved whole; undefined for other objects. */
function moduleParts(object: Inert): [unknown, unknown][] | undefined {
  const { state } = object
  if (!(state instanceof Map)) return undefined
  if (object.className.startsWith('__torch__.')) return [...(state as Map<unknown, unknown>)]
  const groups = ['_parameters', '_buffers', '_modules'].map((name) => (state as Map<unknown, unknown>).get(name))
  if (!groups.every((group) => group instanceof Map)) return undefined
  return groups.flatMap((group) => [...(group as Map<unknown, unknown>)])
}
