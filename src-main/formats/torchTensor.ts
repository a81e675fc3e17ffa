/** Tensors of PyTorch files: their storages, and views of those with any strides. */
import { formatError } from '../base/errors.ts'
import { dtypes, elementCount } from './array.ts'
import type { ArrayEntry, DType, TypedArray } from './array.ts'
import { checkedByteLength, checkRows, fromBytes, itemSize, storedEntry } from './elements.ts'
import { describeValue, Inert } from './inert.ts'
import type { Constructor } from './inert.ts'
import type { ByteSource } from './source.ts'

const maxAxes = 64
/** By how much an expanded tensor, whose elements are shown many times, may be larger than its storage, in bytes. */
const maxExpansion = 32 * 2 ** 20

/** Element types by the names of `torch.float16` and of `torch.HalfStorage`; a storage without a type counts bytes. */
const storageTypes: ReadonlyMap<string, DType> = new Map([
  ['DoubleStorage', 'float64'],
  ['FloatStorage', 'float32'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
  ['UntypedStorage', 'uint8'],
])

/** A stretch of numbers in the file that tensors are views of. */
export class Storage extends Inert {
  readonly key: string
  /** Undefined for types that we have no arrays of, such as complex numbers. */
  readonly dtype: DType | undefined
  readonly bytes: ByteSource
  /** Where it begins in `bytes`, in elements. */
  readonly offset: number
  readonly littleEndian: boolean

  constructor(type: string, key: string, bytes: ByteSource, littleEndian: boolean, offset = 0) {
    super(type, 'instance')
    this.key = key
    this.dtype = storageTypes.get(type.slice(type.lastIndexOf('.') + 1))
    this.bytes = bytes
    this.offset = offset
    this.littleEndian = littleEndian
  }
}

/** What a pickle states for a storage: `('storage', type, key, device, number of elements, view)`. */
export interface StorageIdentity {
  type: string
  key: string
  count: number
  /** `(key, offset, count)` of an old file's storage that is a part of another. */
  view: readonly unknown[] | null
}

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Reads a storage's identity; throws a format error for anything else. */
export function parseIdentity(where: string, identity: unknown): StorageIdentity {
  const [kind, type, key, , count, view = null] = Array.isArray(identity) ? (identity as unknown[]) : []
  if (
    kind !== 'storage' ||
    !(type instanceof Inert) ||
    typeof key !== 'string' ||
    !isCount(count) ||
    !(view === null || Array.isArray(view))
  )
    throw formatError(where, 'storage', 'a storage with type, key and number of elements', describeValue(identity))
  return { type: type.className, key, count, view }
}

/** Bytes of one element of a storage of this type; 1 for types that we do not know, whose size is not needed. */
export function storageItemSize(type: string): number {
  const name = type.slice(type.lastIndexOf('.') + 1)
  const dtype = storageTypes.get(name)
  if (dtype) return itemSize(dtype)
  return name === 'ComplexDoubleStorage' ? 16 : name === 'ComplexFloatStorage' ? 8 : 1
}

/** Makes tensors of the calls by which pickles describe them. Names are given later, from the place in the tree. */
export function tensorConstructors(where: string): ReadonlyMap<string, Constructor> {
  const tensor: Constructor = ([storage, offset, size, stride, , , metadata], refuse) => {
    if (!(storage instanceof Storage)) throw refuse('a storage')
    // Lazily negated or conjugated: the stored numbers are not the tensor's.
    if (metadata instanceof Map && metadata.size) throw refuse('a tensor whose numbers are stored as they are')
    return view(where, storage, storage.dtype, [offset, size, stride])
  }
  // Types that came late have no storage type of their own: the storage counts bytes, the tensor says the type.
  const typedTensor: Constructor = ([storage, offset, size, stride, , , type], refuse) => {
    if (!(storage instanceof Storage) || !(type instanceof Inert)) throw refuse('a storage and a type')
    const name = type.className.replace(/^torch\./, '')
    return view(where, storage, Object.hasOwn(dtypes, name) ? (name as DType) : undefined, [offset, size, stride])
  }
  const first: Constructor = ([value]) => value
  const constructors = new Map<string, Constructor>([
    ['torch._utils._rebuild_tensor', tensor],
    ['torch._utils._rebuild_tensor_v2', tensor],
    ['torch._utils._rebuild_tensor_v3', typedTensor],
    ['torch._utils._rebuild_parameter', first],
    ['torch._utils._rebuild_parameter_with_state', first],
    // TorchScript's lists of one type.
    ...['intlist', 'doublelist', 'boollist', 'tensorlist'].map((type): [string, Constructor] => [
      `torch.jit._pickle.build_${type}`,
      first,
    ]),
    ['torch.jit._pickle.restore_type_tag', first],
    [
      'torch.Size',
      ([sizes], refuse) => {
        if (!Array.isArray(sizes)) throw refuse('sizes')
        return sizes as unknown[]
      },
    ],
    ['torch.device', (args) => args.join(':')],
  ])
  // A tensor with attributes of its own, or of a class of its own: the tensor.
  const fromType: Constructor = ([callee, , args], refuse) => {
    const make = callee instanceof Inert && callee.is === 'reference' ? constructors.get(callee.className) : undefined
    // Its own name is not among them: arguments that hold themselves would never end.
    if (!make || make === fromType || !Array.isArray(args)) throw refuse('a call that builds a tensor')
    return make(args as unknown[], refuse)
  }
  for (const name of ['_tensor._rebuild_from_type_v2', '_tensor._rebuild_from_type', 'tensor._rebuild_from_type'])
    constructors.set(`torch.${name}`, fromType)
  return constructors
}

/** A tensor that is not yet named; tensors of types that we have no arrays of stay inert. */
export class Tensor {
  readonly storage: Storage
  readonly dtype: DType
  readonly shape: number[]
  /** In elements. */
  readonly strides: number[]
  readonly offset: number

  constructor(storage: Storage, dtype: DType, shape: number[], strides: number[], offset: number) {
    this.storage = storage
    this.dtype = dtype
    this.shape = shape
    this.strides = strides
    this.offset = offset
  }
}

function view(where: string, storage: Storage, dtype: DType | undefined, layout: unknown[]): Tensor | Inert {
  const [offset, size, stride] = layout
  const field = `tensor of storage ${storage.key.slice(0, 40)}`
  if (
    !isCount(offset) ||
    !Array.isArray(size) ||
    !Array.isArray(stride) ||
    size.length !== stride.length ||
    size.length > maxAxes ||
    ![...(size as unknown[]), ...(stride as unknown[])].every(isCount)
  )
    throw formatError(where, field, 'an offset, a size and strides', layout.map(describeLayout).join(', '))
  if (!dtype) return new Inert(`tensor of ${storage.className} [${size}]`, 'instance')
  const shape = size as number[]
  const strides = stride as number[]
  const length = checkedByteLength(where, `${field}, size`, dtype, shape)
  const from = storage.offset + offset
  const last = from + shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis], 0)
  const there = Math.floor(storage.bytes.size / itemSize(dtype))
  if (length && !(last < there))
    throw formatError(where, field, `elements up to ${last}`, `${there}`, 'The file is damaged.')
  if (length > storage.bytes.size + maxExpansion)
    throw formatError(where, `${field}, size`, `at most ${storage.bytes.size + maxExpansion} bytes`, `${length}`)
  return new Tensor(storage, dtype, shape, strides, from)
}

const describeLayout = (value: unknown): string =>
  Array.isArray(value) ? `[${value.slice(0, 16).map(describeValue)}]` : describeValue(value)

/** The tensor under a name, readable by rows: contiguous ones by seeking, others gathered from the stretches they touch. */
export function tensorEntry({ storage, dtype, shape, strides, offset }: Tensor, name: string): ArrayEntry {
  const source = storage.bytes
  const { littleEndian } = storage
  const isContiguous = shape.every((n, axis) => n === 1 || strides[axis] === elementCount(shape.slice(axis + 1)))
  if (isContiguous || shape.includes(0))
    return storedEntry({ source, name, dtype, shape, littleEndian, offset: offset * itemSize(dtype) })

  const gather = (start: number, part: number[]) => {
    const data = new dtypes[dtype](elementCount(part))
    const axes = part
      .map((size, axis) => ({ size, stride: strides[axis], step: elementCount(part.slice(axis + 1)) }))
      .filter(({ size }) => size !== 1)
      .sort((a, b) => b.stride - a.stride)
    if (data.length) gatherInto(data, 0, axes, offset + start * strides[0], elements)
    return { dtype, shape: part, data }
  }
  const elements = (from: number, count: number) =>
    fromBytes(source.read(from * itemSize(dtype), count * itemSize(dtype), name), dtype, littleEndian)
  return {
    name,
    dtype,
    shape,
    read: () => gather(0, shape),
    readRows(start, stop) {
      checkRows(shape, start, stop)
      return gather(start, [stop - start, ...shape.slice(1)])
    },
  }
}

interface Axis {
  size: number
  /** Elements from one to the next in the storage, and in the result. */
  stride: number
  step: number
}

/** Shortest stretch worth more than one read, in elements. */
const minStretch = 2 ** 14

/** Copies a block whose axes are in order of descending stride: by one read where that wastes little, else index by index of the first axis. */
function gatherInto(
  data: TypedArray,
  to: number,
  axes: readonly Axis[],
  from: number,
  elements: (from: number, count: number) => TypedArray,
): void {
  const count = axes.reduce((product, { size }) => product * size, 1)
  const span = 1 + axes.reduce((sum, { size, stride }) => sum + (size - 1) * stride, 0)
  if (span <= Math.max(minStretch, 2 * count)) return copyBlock(data, to, axes, elements(from, span), 0)
  const [{ size, stride, step }, ...rest] = axes
  for (let i = 0; i < size; i++) gatherInto(data, to + i * step, rest, from + i * stride, elements)
}

function copyBlock(data: TypedArray, to: number, axes: readonly Axis[], block: TypedArray, from: number): void {
  if (!axes.length) {
    data[to] = block[from]
    return
  }
  const [{ size, stride, step }, ...rest] = axes
  if (rest.length) for (let i = 0; i < size; i++) copyBlock(data, to + i * step, rest, block, from + i * stride)
  else for (let i = 0; i < size; i++) data[to + i * step] = block[from + i * stride]
}
