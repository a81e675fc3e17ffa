/**
 * MATLAB files of version 5 to 7 (MathWorks, "MAT-File Format"): tagged elements, each variable possibly deflated. Column-major in
 * the file, row-major here. The index needs the first bytes of each variable; values are read when asked for.
 */
import { formatError } from '../base/errors.ts'
import type { ArrayEntry } from './array.ts'
import { checkExpansion, inflateExactly, inflatePrefix, prefixLength } from './inflate.ts'
import type { MatlabFile, MatlabVariable } from './matlab.ts'
import { numericEntry, readMatrixHeader, readTag, readValue } from './matlab5Matrix.ts'
import type { Cursor } from './matlab5Matrix.ts'
import type { ByteSource } from './source.ts'
import { openBytes } from './source.ts'

export { encodeMatlab5 } from './matlab5Write.ts'
export type { MatlabInput } from './matlab5Write.ts'

const headerLength = 128
const maxVariables = 100_000

/** Throws a format error for anything that is not a well-formed file of version 5; variables are checked as far as their headers. */
export function openMatlab5(source: ByteSource): MatlabFile {
  const where = source.name
  const header = Buffer.from(source.read(0, headerLength, 'header'))
  const mark = header.toString('latin1', 126)
  if (mark !== 'IM' && mark !== 'MI') throw formatError(where, 'byte order', 'IM or MI', JSON.stringify(mark))
  const littleEndian = mark === 'IM'
  const version = littleEndian ? header.readUInt16LE(124) : header.readUInt16BE(124)
  if (version !== 0x100)
    throw formatError(
      where,
      'version',
      '0x100 (MATLAB 5 to 7)',
      `0x${version.toString(16)}`,
      version === 0x200 ? 'This is a MATLAB 7.3 file, which is read as HDF5.' : undefined,
    )
  // MATLAB keeps what belongs to its objects in a nameless variable, whose place is noted in the header.
  const subsystem = Number(littleEndian ? header.readBigUInt64LE(116) : header.readBigUInt64BE(116))

  const cache: Cache = { position: -1, bytes: new Uint8Array() }
  const variables: MatlabVariable[] = []
  const arrays: ArrayEntry[] = []
  const names = new Set<string>()
  for (let position = headerLength; position < source.size;) {
    const tag = readTag({ source, position, end: source.size, littleEndian })
    if (tag.type !== 'matrix' && tag.type !== 'compressed')
      throw formatError(where, `element at ${position}`, 'a variable', `${tag.type} data`)
    const stored = { source, position: tag.start, end: tag.start + tag.size, littleEndian }
    const { head, open } = tag.type === 'matrix' ? { head: stored, open: () => stored } : compressed(stored, cache)
    const matrix = readMatrixHeader(head)
    const { name, className, shape } = matrix
    if (name || position !== subsystem) {
      if (!name || names.has(name) || names.size === maxVariables)
        throw formatError(where, `element at ${position}, name`, 'a name of its own', JSON.stringify(name))
      names.add(name)
      variables.push({ name, className, shape, value: () => readValue(open()) })
      const entry = numericEntry(matrix)
      if (entry) arrays.push(tag.type === 'matrix' ? entry : whenInflated(entry, open))
    }
    position = tag.type === 'matrix' ? tag.next : tag.start + tag.size // compressed elements are not padded
  }
  return {
    variables,
    arrays,
    close() {
      cache.bytes = new Uint8Array()
      source.close()
    },
  }
}

/** The variable inflated last, so that reading its rows one after the other does not inflate it each time. */
interface Cache {
  position: number
  bytes: Uint8Array
}

/** A cursor at the beginning of a deflated variable, for its header only, and one for all of it. */
function compressed({ source, position, end, littleEndian }: Cursor, cache: Cache) {
  const where = source.name
  const field = `compressed variable at ${position - 8}`
  const prefix = inflatePrefix(
    where,
    field,
    source.read(position, Math.min(end - position, prefixLength), field),
    'zlib',
  )
  // Inside is one matrix, whose tag declares the size of everything.
  const start = openBytes(prefix, where)
  const size = Buffer.from(start.read(4, 4, field))
  const total = 8 + (littleEndian ? size.readUInt32LE() : size.readUInt32BE())
  checkExpansion(where, field, end - position, total)

  function inside(content: ByteSource): Cursor {
    const tag = readTag({ source: content, position: 0, end: total, littleEndian })
    if (tag.type !== 'matrix') throw formatError(where, field, 'a variable', `${tag.type} data`)
    return { source: content, position: tag.start, end: total, littleEndian }
  }
  function open(): Cursor {
    if (cache.position !== position) {
      cache.bytes = inflateExactly(where, field, source.read(position, end - position, field), total, 'zlib')
      cache.position = position
    }
    return inside(openBytes(cache.bytes, where))
  }
  return { head: inside(start), open }
}

/** The entry that was made from a variable's beginning, with reads from all of it. */
function whenInflated(entry: ArrayEntry, open: () => Cursor): ArrayEntry {
  const whole = () => numericEntry(readMatrixHeader(open())) ?? entry
  return { ...entry, read: () => whole().read(), readRows: (start, stop) => whole().readRows(start, stop) }
}
