/** NumPy's .npy, versions 1 to 3 (numpy.lib.format). Numbers only: nothing is ever unpickled. */
import { parse } from 'node:path'
import { MindEyeError, formatError } from '../base/errors.ts'
import { elementCount } from './array.ts'
import type { ArrayEntry, ArrayFile, DType, NdArray } from './array.ts'
import { checkedByteLength, storedEntry, toBytes } from './elements.ts'
import type { ByteSource } from './source.ts'

const magic = '\x93NUMPY'
/** Headers of plain arrays take 64 to 128 bytes; only record types make them long. */
const maxHeaderLength = 1 << 20
const maxAxes = 64

/** NumPy's type codes without byte order. */
const codes: Record<string, DType> = {
  b1: 'bool',
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
}
const refused: Record<string, string> = {
  O: 'pickled Python objects, which can run code',
  c: 'complex numbers',
  U: 'text',
  S: 'text',
  a: 'text',
  V: 'records',
  M: 'dates',
  m: 'time spans',
}

/** One array, named by the file's stem. Throws a format error for anything that is not a plain numeric array of the right length. */
export function openNpy(source: ByteSource): ArrayFile {
  return { arrays: [npyEntry(source, parse(source.name).name)], close: () => source.close() }
}

/** The array of an .npy source, also of one inside an .npz. */
export function npyEntry(source: ByteSource, name: string): ArrayEntry {
  const where = source.name
  const start = Buffer.from(source.read(0, 10, 'magic'))
  if (start.toString('latin1', 0, 6) !== magic)
    throw formatError(where, 'magic', '\\x93NUMPY', JSON.stringify(start.toString('latin1', 0, 6)))
  const version = start[6]
  if (version < 1 || version > 3 || start[7] !== 0)
    throw formatError(where, 'version', '1.0, 2.0 or 3.0', `${version}.${start[7]}`)
  const prefix = version === 1 ? 10 : 12
  const headerLength =
    version === 1 ? start.readUInt16LE(8) : Buffer.from(source.read(8, 4, 'header length')).readUInt32LE()
  if (headerLength > maxHeaderLength)
    throw formatError(where, 'header length', `at most ${maxHeaderLength} bytes`, `${headerLength}`)
  const text = Buffer.from(source.read(prefix, headerLength, 'header')).toString(version === 3 ? 'utf8' : 'latin1')

  const fields = parseHeader(where, text)
  const { dtype, littleEndian } = parseType(where, fields.descr)
  const shape = parseShape(where, fields.shape)
  if (!/^(True|False)$/.test(fields.fortran_order))
    throw formatError(where, 'fortran_order', 'True or False', fields.fortran_order)
  const expected = checkedByteLength(where, 'shape', dtype, shape)
  const found = source.size - prefix - headerLength
  if (expected !== found)
    throw formatError(
      where,
      'shape',
      `${expected} bytes of data for ${dtype} [${shape}]`,
      `${found} bytes after the header`,
    )
  return storedEntry({
    source,
    name,
    dtype,
    shape,
    offset: prefix + headerLength,
    littleEndian,
    columnMajor: fields.fortran_order === 'True',
  })
}

/** The header is a Python dict literal with the keys descr, fortran_order and shape, in any order. */
function parseHeader(where: string, text: string): Record<'descr' | 'fortran_order' | 'shape', string> {
  const body = /^\{([^]*)\}\s*$/.exec(text)?.[1]
  const fields = new Map<string, string>()
  const pair = /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|\w+|\([^()]*\)|\[[^]*\])\s*(?:,\s*|$)/y
  let position = 0
  while (body !== undefined && position < body.length) {
    pair.lastIndex = position
    const match = pair.exec(body)
    if (!match || fields.has(match[1])) break
    fields.set(match[1], match[2])
    position = pair.lastIndex
  }
  const { descr, fortran_order, shape } = Object.fromEntries(fields)
  if (body === undefined || position < body.length || fields.size !== 3)
    throw formatError(
      where,
      'header',
      "a dict with 'descr', 'fortran_order' and 'shape'",
      JSON.stringify(text.slice(0, 120)),
    )
  return { descr, fortran_order, shape }
}

function parseType(where: string, descr: string): { dtype: DType; littleEndian: boolean } {
  const [, order, kind, size] = /^'([<>|=]?)([A-Za-z])(\d*)'$/.exec(descr) ?? []
  const dtype = codes[kind + size]
  if (!dtype || !Object.hasOwn(codes, kind + size))
    throw formatError(
      where,
      'descr',
      'booleans, integers or floats of 2, 4 or 8 bytes',
      `${descr.slice(0, 80)}${descr.startsWith('[') ? ' (records)' : refused[kind] ? ` (${refused[kind]})` : ''}`,
      'Save it again from NumPy as a plain numeric array.',
    )
  return { dtype, littleEndian: order !== '>' }
}

function parseShape(where: string, text: string): number[] {
  const wrong = () => formatError(where, 'shape', `a tuple of at most ${maxAxes} whole numbers`, text.slice(0, 120))
  const inner = /^\(([\d,\sL]*)\)$/.exec(text)?.[1].trim()
  if (inner === undefined) throw wrong()
  const parts = inner.split(',').map((part) => part.trim())
  if (parts.at(-1) === '') parts.pop()
  else if (parts.length === 1) throw wrong() // (3) is a number in Python, not a tuple
  if (parts.length > maxAxes || parts.some((part) => !/^\d{1,16}L?$/.test(part))) throw wrong()
  return parts.map((part) => parseInt(part, 10))
}

/** Header of a version 1.0 file in C order; the elements follow it, little-endian. For writing row by row. */
export function npyHeader(dtype: DType, shape: readonly number[]): Uint8Array {
  const code = Object.keys(codes).find((key) => codes[key] === dtype)
  if (!code)
    throw new MindEyeError({ kind: 'input', where: '.npy', field: 'type', expected: 'a type of NumPy', found: dtype })
  const order = code.endsWith('1') ? '|' : '<'
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${tuple}), }`
  const total = Math.ceil((10 + text.length + 1) / 64) * 64 // NumPy aligns the data to 64 bytes
  const header = Buffer.alloc(total, ' ')
  header.write(magic, 0, 'latin1')
  header.set([1, 0], 6)
  header.writeUInt16LE(total - 10, 8)
  header.write(text, 10, 'latin1')
  header.write('\n', total - 1)
  return header
}

/** A whole .npy file. */
export function encodeNpy({ dtype, shape, data }: NdArray): Uint8Array {
  if (data.length !== elementCount(shape)) throw new RangeError(`${data.length} elements for shape [${shape}]`)
  return Buffer.concat([npyHeader(dtype, shape), toBytes(data)])
}
