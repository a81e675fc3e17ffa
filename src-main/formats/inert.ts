/** Stand-ins for Python objects, and the few plain ones that are made: what a pickle may contain besides numbers, texts and containers. */
import { formatError } from '../base/errors.ts'

/**
 * Stands for a Python object that was not made: a class or function that a pickle only names (`reference`), an object of such a
 * class with the state that it would get (`instance`), or an attribute of one (`attribute`). Nothing of it was imported or run.
 */
export class Inert {
  /** `torch.optim.adamw.AdamW`; of an attribute, the object's class and the attribute's name. */
  readonly className: string
  readonly is: 'reference' | 'instance' | 'attribute'
  readonly args: readonly unknown[]
  state: unknown
  /** What a subclass of dict or list would hold. */
  readonly items = new Map<unknown, unknown>()
  readonly list: unknown[] = []

  constructor(className: string, is: Inert['is'], args: readonly unknown[] = []) {
    this.className = className
    this.is = is
    this.args = args
  }
}

/** Makes a value from the arguments of a call in a pickle; `refuse` tells what is wrong with them. */
export type Constructor = (args: readonly unknown[], refuse: (expected: string) => Error) => unknown

/** Python 2 called some modules otherwise. */
export const canonicalName = (name: string): string =>
  name
    .replace(/^__builtin__\./, 'builtins.')
    .replace(/^copy_reg\./, 'copyreg.')
    .replace(/^numpy\.core\./, 'numpy._core.')

const listOf: Constructor = ([items = []], refuse) => {
  if (Array.isArray(items)) return [...(items as unknown[])]
  if (items instanceof Set) return [...(items as Set<unknown>)]
  throw refuse('a list')
}

/** From nothing, another dictionary, or pairs. */
function dictionary(items: unknown, refuse: (expected: string) => Error): Map<unknown, unknown> {
  if (items === undefined || items instanceof Map) return new Map(items as Map<unknown, unknown>)
  if (!Array.isArray(items) || items.some((pair) => !Array.isArray(pair) || pair.length !== 2))
    throw refuse('a dictionary or pairs')
  return new Map(items as [unknown, unknown][])
}

/** Plain containers and numbers: what a pickle may ask for by a call without anything being run. */
export const plainConstructors: ReadonlyMap<string, Constructor> = new Map<string, Constructor>([
  ['collections.OrderedDict', ([items], refuse) => dictionary(items, refuse)],
  // The first argument says how missing values would be made.
  ['collections.defaultdict', ([, items], refuse) => dictionary(items, refuse)],
  ['collections.Counter', ([items], refuse) => dictionary(items, refuse)],
  ['collections.deque', listOf],
  ['builtins.dict', ([items], refuse) => dictionary(items, refuse)],
  ['builtins.list', listOf],
  ['builtins.tuple', listOf],
  ['builtins.set', (args, refuse) => new Set(listOf(args, refuse) as unknown[])],
  ['builtins.frozenset', (args, refuse) => new Set(listOf(args, refuse) as unknown[])],
  [
    'builtins.getattr',
    ([object, name], refuse) => {
      if (object instanceof Inert && object.is !== 'reference' && typeof name === 'string')
        return new Inert(`${object.className}.${name}`, 'attribute')
      throw refuse('an object of the file and the name of an attribute')
    },
  ],
  [
    'copyreg._reconstructor',
    ([type, base], refuse) => {
      if (type instanceof Inert && base instanceof Inert) return new Inert(type.className, 'instance')
      throw refuse('a class and its base')
    },
  ],
  // Protocol 2 has no bytes of its own and writes them as text.
  [
    '_codecs.encode',
    ([text, encoding], refuse) => {
      if (typeof text === 'string' && encoding === 'latin1') return new Uint8Array(Buffer.from(text, 'latin1'))
      throw refuse('a text and latin1')
    },
  ],
  ['numpy.dtype', (args) => new Inert('numpy.dtype', 'instance', args)],
  ['numpy._core.multiarray.scalar', ([type, bytes], refuse) => numpyScalar(type, bytes, refuse)],
  ['numpy._core.multiarray._reconstruct', () => new Inert('numpy.ndarray', 'instance')],
])

const scalarReaders: Record<string, (view: DataView, littleEndian: boolean) => number | bigint | boolean> = {
  f8: (view, little) => view.getFloat64(0, little),
  f4: (view, little) => view.getFloat32(0, little),
  f2: (view, little) => view.getFloat16(0, little),
  i8: (view, little) => view.getBigInt64(0, little),
  i4: (view, little) => view.getInt32(0, little),
  u8: (view, little) => view.getBigUint64(0, little),
  u1: (view) => view.getUint8(0),
  b1: (view) => view.getUint8(0) !== 0,
}

/** A number of NumPy's, e.g. a loss that was kept as np.float64. */
function numpyScalar(type: unknown, bytes: unknown, refuse: (expected: string) => Error): unknown {
  const code = type instanceof Inert && type.className === 'numpy.dtype' ? type.args[0] : undefined
  const order: unknown = type instanceof Inert && Array.isArray(type.state) ? type.state[1] : '<'
  const read = typeof code === 'string' && Object.hasOwn(scalarReaders, code) ? scalarReaders[code] : undefined
  if (!read || !(bytes instanceof Uint8Array) || bytes.length !== Number((code as string)[1]))
    throw refuse('a number type and its bytes')
  const value = read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), order !== '>')
  return typeof value === 'bigint' && BigInt(Number(value)) === value ? Number(value) : value
}

/** What stands in an error for a value of a pickle. */
export function describeValue(value: unknown): string {
  if (value instanceof Inert) return value.className
  if (value instanceof Map) return 'a dictionary'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (value === null || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  return 'another value'
}

/** The refusal of a call that a pickle asks for. */
export function refusedCall(where: string, name: string, args: readonly unknown[]): Error {
  const shown = name.endsWith('getattr') ? ` of ${args.slice(0, 2).map(describeValue).join(', ')}` : ''
  return formatError(
    where,
    'pickle',
    'calls that build dense tensors and plain containers only',
    `a call of ${name}${shown}`,
    name.startsWith('torch.')
      ? 'Nothing was run. What this call would build is not read here; save the weights as a plain state_dict.'
      : 'Nothing was run. Weights need no such call: do not load this file in Python either unless you trust its origin.',
  )
}
