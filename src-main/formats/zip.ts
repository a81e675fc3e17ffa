/** Zip archives as .npz uses them: stored and deflated members, zip64. The index comes from the central directory. */
import { crc32 } from 'node:zlib'
import { formatError } from '../base/errors.ts'
import { checkExpansion, inflateExactly, inflatePrefix, prefixLength } from './inflate.ts'
import { openBytes, openSlice } from './source.ts'
import type { ByteSource } from './source.ts'

const endLength = 22
const maxComment = 0xffff
const directoryEntryLength = 46
const localHeaderLength = 30
const signatures = {
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  directory: 0x02014b50,
  local: 0x04034b50,
}

export interface ZipMember {
  name: string
  /** Bytes once inflated. */
  size: number
  deflated: boolean
  /** The first bytes, at most 8 MiB, for looking at headers. */
  beginning(): ByteSource
  /** All bytes: a slice of the archive when stored, inflated and checked when deflated. */
  content(): ByteSource
}

/** Lists an archive's members. Sizes are checked against the bytes present, and what deflated bytes can hold, before anything is read. */
export function readZip(source: ByteSource): ZipMember[] {
  const where = source.name
  const { count, offset, size } = findDirectory(source)
  if (count * directoryEntryLength > size)
    throw formatError(
      where,
      'central directory',
      `${count} entries of ${directoryEntryLength} bytes or more`,
      `${size} bytes`,
    )
  const directory = Buffer.from(source.read(offset, size, 'central directory'))
  const members: ZipMember[] = []
  const names = new Set<string>()
  let position = 0
  for (let i = 0; i < count; i++) {
    const field = `central directory entry ${i}`
    if (position + directoryEntryLength > size)
      throw formatError(where, field, `${directoryEntryLength} bytes`, 'the end')
    const entry = directory.subarray(position)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => entry.readUInt16LE(at))
    position += directoryEntryLength + nameLength + extraLength + commentLength
    if (entry.readUInt32LE(0) !== signatures.directory || position > size)
      throw formatError(where, field, 'an entry that fits the directory', 'other bytes')
    const nameEnd = directoryEntryLength + nameLength
    const name = entry.toString('utf8', directoryEntryLength, nameEnd)
    if (!name || names.has(name)) throw formatError(where, `${field}, name`, 'a name of its own', JSON.stringify(name))
    names.add(name)
    if (entry.readUInt16LE(8) & 1) throw formatError(where, name, 'a readable member', 'an encrypted one')
    const method = entry.readUInt16LE(10)
    if (method !== 0 && method !== 8)
      throw formatError(where, `${name}, compression`, 'none (0) or deflate (8)', `method ${method}`)
    const wide = wideFields(where, name, entry.subarray(nameEnd, nameEnd + extraLength))
    const take = (at: number, what: string) =>
      entry.readUInt32LE(at) === 0xffffffff ? wide(what) : entry.readUInt32LE(at)
    const full = take(24, 'size')
    const packed = take(20, 'compressed size')
    const header = take(42, 'offset')
    members.push(member(source, { name, method, packed, full, header, sum: entry.readUInt32LE(16) }))
  }
  if (position !== size) throw formatError(where, 'central directory', `${position} bytes`, `${size}`)
  return members
}

interface Listed {
  name: string
  method: number
  packed: number
  full: number
  header: number
  sum: number
}

function member(source: ByteSource, { name, method, packed, full, header, sum }: Listed): ZipMember {
  const where = source.name
  const local = Buffer.from(source.read(header, localHeaderLength, `${name}, local header`))
  if (local.readUInt32LE(0) !== signatures.local)
    throw formatError(where, `${name}, local header`, 'its signature', local.toString('hex', 0, 4))
  const offset = header + localHeaderLength + local.readUInt16LE(26) + local.readUInt16LE(28)
  if (packed > source.size - offset)
    throw formatError(where, `${name}, compressed size`, `at most ${source.size - offset} bytes`, `${packed}`)
  const path = `${where}/${name}`
  if (method === 0) {
    if (packed !== full) throw formatError(where, `${name}, size`, `${packed} bytes as stored`, `${full}`)
    const slice = () => openSlice(source, offset, full, path)
    return { name, size: full, deflated: false, beginning: slice, content: slice }
  }
  checkExpansion(where, `${name}, size`, packed, full)
  return {
    name,
    size: full,
    deflated: true,
    beginning() {
      const bytes = source.read(offset, Math.min(packed, prefixLength), name)
      return openBytes(inflatePrefix(where, name, bytes, 'raw'), path)
    },
    content() {
      const bytes = inflateExactly(where, name, source.read(offset, packed, name), full, 'raw')
      if (crc32(bytes) !== sum)
        throw formatError(
          where,
          `${name}, checksum`,
          sum.toString(16),
          crc32(bytes).toString(16),
          'The archive is damaged.',
        )
      return openBytes(bytes, path)
    },
  }
}

/** Sizes and offset of 64 bits from an entry's extra fields, in the order in which the short ones are missing. */
function wideFields(where: string, name: string, extra: Buffer): (what: string) => number {
  let at = 0
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2)
  let left = at + 4 <= extra.length ? extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2)) : Buffer.alloc(0)
  return (what) => {
    if (left.length < 8) throw formatError(where, `${name}, ${what}`, 'a zip64 field of 8 bytes', `${left.length}`)
    const value = left.readBigUInt64LE()
    left = left.subarray(8)
    return safe(where, `${name}, ${what}`, value)
  }
}

function safe(where: string, field: string, value: bigint): number {
  if (value > Number.MAX_SAFE_INTEGER) throw formatError(where, field, 'a size below 2^53', `${value}`)
  return Number(value)
}

/** Where the central directory lies, from the record at the archive's end and its zip64 companion. */
function findDirectory(source: ByteSource): { count: number; offset: number; size: number } {
  const where = source.name
  const tailStart = Math.max(0, source.size - endLength - maxComment)
  const tail = Buffer.from(source.read(tailStart, source.size - tailStart, 'end of archive'))
  // The record is followed by a comment of the length that it says, and by nothing else.
  let at = tail.length - endLength
  while (
    at >= 0 &&
    (tail.readUInt32LE(at) !== signatures.end || tail.readUInt16LE(at + 20) !== tail.length - at - endLength)
  )
    at--
  if (at < 0)
    throw formatError(
      where,
      'end of archive',
      'the record that ends a zip archive',
      'none',
      'The file is cut short or damaged.',
    )
  const end = tail.subarray(at)
  let directory = { count: end.readUInt16LE(10), size: end.readUInt32LE(12), offset: end.readUInt32LE(16) }
  let limit = tailStart + at
  // A large archive has a second record, to which a locator just before this one points.
  const locator = Buffer.from(limit >= 20 ? source.read(limit - 20, 20, 'zip64 locator') : new Uint8Array(20))
  if (locator.readUInt32LE(0) === signatures.locator64) {
    limit = safe(where, 'zip64 locator', locator.readBigUInt64LE(8))
    const record = Buffer.from(source.read(limit, 56, 'zip64 record'))
    if (record.readUInt32LE(0) !== signatures.end64)
      throw formatError(where, 'zip64 record', 'its signature', 'other bytes')
    const [count, size, offset] = [32, 40, 48].map((i) => safe(where, 'zip64 record', record.readBigUInt64LE(i)))
    directory = { count, size, offset }
  }
  // The directory ends where the end record begins: anything else means that bytes are missing or added.
  if (directory.offset + directory.size !== limit)
    throw formatError(where, 'central directory', `an end at byte ${limit}`, `${directory.offset + directory.size}`)
  return directory
}
