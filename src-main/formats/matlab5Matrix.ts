/** The elements of MATLAB 5 files: tags, matrix headers and the values below them. */
import { formatError } from '../base/errors.ts'
import { elementCount } from './array.ts'
import type { ArrayEntry, DType, TypedArray } from './array.ts'
import { fromBytes, itemSize, storedEntry } from './elements.ts'
import { asClass, columnMajorItems, decodeChars } from './matlab5Values.ts'
import type { MatlabValue } from './matlab.ts'
import type { ByteSource } from './source.ts'

const maxAxes = 64
const maxNameLength = 1024
const maxDepth = 32
/** Values in one variable's cells and structs: a cell takes 8 bytes in the file but some hundred in memory. */
const maxValues = 1_000_000

/** A stretch of a source that holds elements. */
export interface Cursor {
  source: ByteSource
  position: number
  end: number
  littleEndian: boolean
}

/** Storage types by their number in the file; what is no number keeps a word of its own. */
const storageTypes = {
  1: 'int8',
  2: 'uint8',
  3: 'int16',
  4: 'uint16',
  5: 'int32',
  6: 'uint32',
  7: 'float32',
  9: 'float64',
  12: 'int64',
  13: 'uint64',
  14: 'matrix',
  15: 'compressed',
  16: 'utf8',
  17: 'utf16',
  18: 'utf32',
} as const
export type StorageType = (typeof storageTypes)[keyof typeof storageTypes]

const numericClasses: Record<number, [string, DType]> = {
  6: ['double', 'float64'],
  7: ['single', 'float32'],
  8: ['int8', 'int8'],
  9: ['uint8', 'uint8'],
  10: ['int16', 'int16'],
  11: ['uint16', 'uint16'],
  12: ['int32', 'int32'],
  13: ['uint32', 'uint32'],
  14: ['int64', 'int64'],
  15: ['uint64', 'uint64'],
}
const otherClasses: Record<number, string> = {
  1: 'cell',
  2: 'struct',
  3: 'object',
  4: 'char',
  5: 'sparse',
  16: 'function handle',
  17: 'object',
}

interface Tag {
  type: StorageType
  start: number
  size: number
  /** Where the next element begins; elements are padded to 8 bytes. */
  next: number
}

/** The tag at the cursor; throws unless the data it announces lie before the cursor's end. */
export function readTag({ source, position, end, littleEndian }: Cursor): Tag {
  const field = `element at ${position}`
  if (end - position < 8) throw formatError(source.name, field, 'a tag of 8 bytes', `${end - position} bytes`)
  const bytes = Buffer.from(source.read(position, 8, field))
  const word = littleEndian ? bytes.readUInt32LE(0) : bytes.readUInt32BE(0)
  const small = word >>> 16 // the size of up to four bytes that follow in the tag itself
  const type = storageTypes[(small ? word & 0xffff : word) as keyof typeof storageTypes]
  if (!type) throw formatError(source.name, field, 'a known data type', `type ${small ? word & 0xffff : word}`)
  if (small) {
    if (small > 4) throw formatError(source.name, field, 'at most 4 bytes in a small element', `${small}`)
    return { type, start: position + 4, size: small, next: position + 8 }
  }
  const size = littleEndian ? bytes.readUInt32LE(4) : bytes.readUInt32BE(4)
  const start = position + 8
  if (size > end - start)
    throw formatError(
      source.name,
      field,
      `at most ${end - start} bytes`,
      `${size}`,
      'The file is cut short or damaged.',
    )
  return { type, start, size, next: Math.min(end, start + Math.ceil(size / 8) * 8) }
}

export interface Matrix {
  name: string
  className: string
  shape: number[]
  /** Element type of numbers and logicals. */
  dtype?: DType
  complex: boolean
  /** What follows the header. */
  body: Cursor
}

/** Class, shape and name of the matrix whose content begins at the cursor. */
export function readMatrixHeader(cursor: Cursor): Matrix {
  const { source, littleEndian } = cursor
  const at = { ...cursor }
  function next(field: string, types: StorageType[], maxLength: number, step = 1): Uint8Array {
    const tag = readTag(at)
    if (!types.includes(tag.type) || tag.size > maxLength || tag.size % step)
      throw formatError(
        source.name,
        `${field} at ${at.position}`,
        `at most ${maxLength} bytes of ${types.join(' or ')}${step > 1 ? `, a multiple of ${step}` : ''}`,
        `${tag.size} bytes of ${tag.type}`,
      )
    at.position = tag.next
    return source.read(tag.start, tag.size, field)
  }
  const place = cursor.position
  const flags = fromBytes(next('array flags', ['uint32'], 8, 8), 'uint32', littleEndian)
  const code = Number(flags[0] ?? 0) & 0xff
  const bits = Number(flags[0] ?? 0) >>> 8
  const [numericName, numericType] = numericClasses[code] ?? []
  const className = numericName ?? otherClasses[code]
  if (flags.length !== 2 || !className)
    throw formatError(source.name, `array flags at ${place}`, 'a known class', `class ${code}`)
  const logical = (bits & 2) !== 0 && numericType === 'uint8'
  const known = { className: logical ? 'logical' : className, complex: (bits & 8) !== 0 }
  // Objects of the newer kind have a name in place of dimensions.
  if (code === 17) {
    const name = Buffer.from(next('name', ['int8', 'utf8'], maxNameLength)).toString()
    return { ...known, name, shape: [], body: at }
  }

  const shape = Array.from(fromBytes(next('dimensions', ['int32'], 4 * maxAxes, 4), 'int32', littleEndian), Number)
  if (
    shape.length < 2 ||
    shape.some((n) => n < 0) ||
    !Number.isSafeInteger(shape.reduce((a, n) => a * Math.max(n, 1), 8))
  )
    throw formatError(source.name, `dimensions at ${place}`, 'two or more countable sizes', `[${shape}]`)
  const name = Buffer.from(next('name', ['int8', 'utf8'], maxNameLength)).toString()
  return { ...known, name, shape, dtype: logical ? 'bool' : numericType, body: at }
}

const numberTypes: StorageType[] = 'int8 uint8 int16 uint16 int32 uint32 float32 float64 int64 uint64'.split(
  ' ',
) as StorageType[]
const charTypes: StorageType[] = ['utf8', 'utf16', 'utf32', 'uint16', 'uint8', 'int8']

/**
 * Numbers of a matrix, readable by rows; undefined for other classes and for complex ones. MATLAB stores numbers in the smallest type
 * that holds them, so the entry may take up to 8 times the bytes in the file.
 */
export function numericEntry({ name, dtype, shape, complex, body }: Matrix): ArrayEntry | undefined {
  if (!dtype || complex) return undefined
  const where = body.source.name
  const tag = readTag(body)
  const stored = tag.type as DType
  if (!numberTypes.includes(tag.type)) throw formatError(where, `${name} data`, 'numbers', tag.type)
  const bytes = elementCount(shape) * itemSize(stored)
  if (tag.size !== bytes)
    throw formatError(where, `${name} data`, `${bytes} bytes for ${stored} [${shape}]`, `${tag.size} bytes`)
  const entry = storedEntry({
    source: body.source,
    name,
    dtype: stored,
    shape,
    offset: tag.start,
    littleEndian: body.littleEndian,
    columnMajor: true,
  })
  const convert = (data: TypedArray) => asClass(where, name, data, stored, dtype)
  if (dtype !== stored) convert(new Uint8Array()) // refuses types that cannot hold the class before anything is read
  return {
    name,
    dtype,
    shape,
    read: () => ({ dtype, shape, data: convert(entry.read().data) }),
    readRows(start, stop) {
      const rows = entry.readRows(start, stop)
      return { dtype, shape: rows.shape, data: convert(rows.data) }
    },
  }
}

/** The value of the matrix whose content begins at the cursor, with everything below it. */
export function readValue(cursor: Cursor): MatlabValue {
  return readBelow(cursor, 0, { left: maxValues })
}

function readBelow(cursor: Cursor, depth: number, budget: { left: number }): MatlabValue {
  const where = cursor.source.name
  // An empty element stands for [].
  if (cursor.position === cursor.end)
    return { kind: 'numeric', dtype: 'float64', shape: [0, 0], data: new Float64Array() }
  const matrix = readMatrixHeader(cursor)
  const { className, shape, body } = matrix
  const field = `${matrix.name || className} at ${cursor.position}`
  if (matrix.complex)
    throw formatError(where, field, 'real numbers', 'complex numbers', 'Save real and imaginary part as two variables.')
  if (matrix.dtype) {
    const entry = numericEntry(matrix)
    if (entry) return { kind: 'numeric', ...entry.read() }
  }
  if (className === 'char') {
    const tag = readTag(body)
    if (!charTypes.includes(tag.type)) throw formatError(where, field, 'text', tag.type)
    const bytes = body.source.read(tag.start, tag.size, field)
    return { kind: 'char', shape, rows: decodeChars(where, field, bytes, tag.type, shape, body.littleEndian) }
  }
  if (className !== 'cell' && className !== 'struct')
    throw formatError(
      where,
      field,
      'numbers, text, cells or structs',
      `${className} data`,
      'Save it from MATLAB as a plain array.',
    )
  if (depth === maxDepth) throw formatError(where, field, `at most ${maxDepth} levels of cells and structs`, 'more')

  const at = { ...body }
  const names = className === 'struct' ? readFieldNames(at, field) : ['']
  const count = elementCount(shape)
  const values = count * names.length
  // Each value takes a tag at least, so the file's bytes bound what a shape may promise.
  if (values * 8 > at.end - at.position || values > budget.left)
    throw formatError(where, field, `at most ${Math.min(budget.left, (at.end - at.position) >> 3)} values`, `${values}`)
  budget.left -= values
  const items: MatlabValue[] = []
  for (let i = 0; i < values; i++) {
    const tag = readTag(at)
    if (tag.type !== 'matrix') throw formatError(where, `element at ${at.position}`, 'a matrix', `${tag.type} data`)
    items.push(readBelow({ ...at, position: tag.start, end: tag.start + tag.size }, depth + 1, budget))
    at.position = tag.next
  }
  if (className === 'cell') return { kind: 'cell', shape, items: columnMajorItems(items, shape) }
  // All fields of the first struct come first, then those of the second.
  const column = (f: number) => Array.from({ length: count }, (_, i) => items[i * names.length + f])
  const fields = names.map((name, f): [string, MatlabValue[]] => [name, columnMajorItems(column(f), shape)])
  return { kind: 'struct', shape, fields: new Map(fields) }
}

/** Field names of a struct, each padded with zeros to the same length; moves the cursor behind them. */
function readFieldNames(at: Cursor, field: string): string[] {
  const where = at.source.name
  const lengthTag = readTag(at)
  if (lengthTag.type !== 'int32' || lengthTag.size !== 4)
    throw formatError(
      where,
      `${field}, length of field names`,
      '4 bytes of int32',
      `${lengthTag.size} of ${lengthTag.type}`,
    )
  const [length] = fromBytes(at.source.read(lengthTag.start, 4, field), 'int32', at.littleEndian) as Int32Array
  at.position = lengthTag.next
  const tag = readTag(at)
  if (
    tag.type !== 'int8' ||
    length < 1 ||
    length > maxNameLength ||
    tag.size % length ||
    tag.size / length > maxValues / 10
  )
    throw formatError(
      where,
      `${field}, field names`,
      `int8 text in pieces of ${length} bytes`,
      `${tag.size} of ${tag.type}`,
    )
  const text = Buffer.from(at.source.read(tag.start, tag.size, field))
  at.position = tag.next
  const names = Array.from({ length: tag.size / length }, (_, i) =>
    text.toString('latin1', i * length, (i + 1) * length).replace(/\0[^]*$/, ''),
  )
  if (new Set(names).size !== names.length || names.includes(''))
    throw formatError(where, `${field}, field names`, 'names of their own', JSON.stringify(names.slice(0, 20)))
  return names
}
