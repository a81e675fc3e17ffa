/** What the array formats share: element sizes, byte order, checked sizes, row slices, column-major data. */
import { formatError } from '../base/errors.ts'
import { dtypes, elementCount } from './array.ts'
import type { ArrayEntry, DType, NdArray, TypedArray } from './array.ts'
import type { ByteSource } from './source.ts'

/** Bytes of one element. */
export const itemSize = (dtype: DType): number => dtypes[dtype].BYTES_PER_ELEMENT

/** Elements of a file's bytes. The result owns its memory: views into a larger buffer and foreign byte orders are copied. */
export function fromBytes(bytes: Uint8Array, dtype: DType, littleEndian = true): TypedArray {
  const size = itemSize(dtype)
  const owned = littleEndian && bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
  if (!littleEndian) {
    const buffer = Buffer.from(owned.buffer)
    if (size === 2) buffer.swap16()
    if (size === 4) buffer.swap32()
    if (size === 8) buffer.swap64()
  }
  return new dtypes[dtype](owned.buffer as ArrayBuffer)
}

/** The little-endian bytes of an array, without a copy. */
export const toBytes = (data: TypedArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

/** Bytes that an array takes, from a shape that nobody has vouched for; throws a format error that names `field`. Beside a zero, too, the axes must be countable. */
export function checkedByteLength(where: string, field: string, dtype: DType, shape: readonly number[]): number {
  const tooMany = () => formatError(where, field, 'a shape whose size can be counted', `[${shape.slice(0, 16)}]`)
  let bytes: number
  try {
    elementCount(shape.filter((n) => n !== 0))
    bytes = elementCount(shape) * itemSize(dtype)
  } catch {
    throw tooMany()
  }
  if (!Number.isSafeInteger(bytes)) throw tooMany()
  return bytes
}

/** Throws a RangeError unless `[start, stop)` are rows of `shape`: a caller's mistake, not the file's. */
export function checkRows(shape: readonly number[], start: number, stop: number): void {
  if (
    !shape.length ||
    !Number.isInteger(start) ||
    !Number.isInteger(stop) ||
    start < 0 ||
    stop < start ||
    stop > shape[0]
  )
    throw new RangeError(`rows [${start}, ${stop}) of an array of shape [${shape}]`)
}

/** The numbers of an array of any type as float32; float32 data is returned as it is. */
export function toFloat32({ dtype, data }: NdArray): Float32Array<ArrayBuffer> {
  if (data instanceof Float32Array) return data
  // A bfloat16 is the upper half of a float32.
  if (dtype === 'bfloat16') return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer)
  return Float32Array.from(data as ArrayLike<number | bigint>, Number)
}

interface StoredArray {
  source: ByteSource
  name: string
  dtype: DType
  shape: number[]
  /** Where the first element lies in the source. */
  offset: number
  littleEndian?: boolean
  columnMajor?: boolean
}

/** Entry for elements that lie uncompressed in a source; rows are read by seeking. The caller has checked that they are all there. */
export function storedEntry({
  source,
  name,
  dtype,
  shape,
  offset,
  littleEndian,
  columnMajor,
}: StoredArray): ArrayEntry {
  const size = itemSize(dtype)
  const rows = shape[0] ?? 1
  const rowLength = elementCount(shape.slice(1))
  const read = (first: number, count: number) =>
    fromBytes(source.read(offset + first * size, count * size, name), dtype, littleEndian)

  function readRows(start: number, stop: number) {
    checkRows(shape, start, stop)
    const part = [stop - start, ...shape.slice(1)]
    if (!columnMajor) return { dtype, shape: part, data: read(start * rowLength, (stop - start) * rowLength) }
    // A column holds one element of every row, so the wanted rows are a short stretch of each column.
    const columns = new Uint8Array((stop - start) * rowLength * size)
    for (let column = 0; column < rowLength && stop > start; column++) {
      const stretch = source.read(offset + (column * rows + start) * size, (stop - start) * size, name)
      columns.set(stretch, column * stretch.length)
    }
    return { dtype, shape: part, data: toRowMajor(fromBytes(columns, dtype, littleEndian), part) }
  }

  return {
    name,
    dtype,
    shape,
    readRows,
    read() {
      const data = read(0, rows * rowLength)
      return { dtype, shape, data: columnMajor ? toRowMajor(data, shape) : data }
    },
  }
}

/** Reorders column-major (Fortran, MATLAB) elements of an array of `shape` to row-major (C). */
export function toRowMajor<T extends TypedArray>(data: T, shape: readonly number[]): T {
  if (data.length < 2 || shape.filter((n) => n > 1).length < 2) return data
  const strides = shape.map((_, axis) => elementCount(shape.slice(0, axis)))
  const out = data.slice() as T
  const last = shape.length - 1
  const index = new Array<number>(shape.length).fill(0)
  for (let to = 0, from = 0; to < out.length;) {
    for (let i = 0, f = from; i < shape[last]; i++, f += strides[last]) out[to++] = data[f]
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis]
      if (++index[axis] < shape[axis]) break
      from -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
  return out
}
