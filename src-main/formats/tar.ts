/**
 * tar archives (ustar, POSIX pax, GNU long names), as webdatasets use them. The index seeks from header to header, so that nothing
 * but headers is read of an archive of many gigabytes; writing is left to tar-stream.
 */
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { pack } from 'tar-stream'
import { formatError } from '../base/errors.ts'
import { openSlice } from './source.ts'
import type { ByteSource } from './source.ts'

const block = 512
/** Long names and pax records take some hundred bytes. */
const maxExtraLength = 1 << 20
/** Links, devices and folders: no data of their own. */
const withoutData = new Set(['1', '2', '3', '4', '5', '6'])

export interface TarEntry {
  name: string
  /** Where its bytes begin in the archive. */
  offset: number
  size: number
}

export interface TarFile {
  /** The archive's files, in order. */
  entries: TarEntry[]
  /** The bytes of one entry. */
  read(entry: TarEntry): Uint8Array
  /** One entry as a source for another reader; it is named `archive/entry` in errors. */
  open(entry: TarEntry): ByteSource
  close(): void
}

/** Lists an archive; throws a format error for a damaged header, an entry longer than the archive, or a missing end. */
export function openTar(source: ByteSource): TarFile {
  const where = source.name
  const entries: TarEntry[] = []
  const shared = new Map<string, string>() // pax records for all entries that follow
  let own = new Map<string, string>() // and those for the next one, with GNU's long name as its path
  let position = 0
  for (;;) {
    const header = Buffer.from(
      source.read(position, block, entries.length ? `header after ${entries.at(-1)?.name}` : 'header'),
    )
    if (header.every((byte) => byte === 0)) break
    checkSum(where, header, position)
    const type = header[156] === 0 ? '0' : String.fromCharCode(header[156])
    const extra = 'xgLK'.includes(type)
    const records = new Map([...shared, ...own])
    const declared = extra ? undefined : records.get('size')
    const field = `size in header at ${position}`
    const size =
      declared === undefined ? octal(where, header.subarray(124, 136), field) : decimal(where, declared, field)
    const start = position + block
    const length = withoutData.has(type) ? 0 : size
    if (length > source.size - start)
      throw formatError(
        where,
        field,
        `at most ${source.size - start} bytes`,
        `${length}`,
        'The archive is cut short or damaged.',
      )

    if (extra) {
      if (length > maxExtraLength)
        throw formatError(where, field, `at most ${maxExtraLength} bytes for a name`, `${length}`)
      const bytes = Buffer.from(source.read(start, length, 'extended header'))
      if (type === 'L') own.set('path', bytes.toString().replace(/\0[^]*$/, ''))
      else if (type !== 'K') readRecords(where, bytes, position, type === 'x' ? own : shared)
    } else {
      own = new Map()
      if (type === '0' || type === '7') {
        const name = records.get('path') ?? headerName(header)
        if (!name || name.includes('\0'))
          throw formatError(where, `header at ${position}`, 'a name', JSON.stringify(name))
        if (!name.endsWith('/')) entries.push({ name, offset: start, size })
      } else if (!withoutData.has(type))
        throw formatError(
          where,
          `header at ${position}`,
          'a file, folder or link',
          `an entry of type ${JSON.stringify(type)}`,
        )
      if ([...records.keys()].some((key) => key.startsWith('GNU.sparse')))
        throw formatError(
          where,
          `header at ${position}`,
          'a plain file',
          'a sparse file',
          'Pack it again without --sparse.',
        )
    }
    position = start + Math.ceil(length / block) * block
  }
  checkEnd(source, position)

  return {
    entries,
    read: ({ name, offset, size }) => source.read(offset, size, name),
    open: ({ name, offset, size }) => openSlice(source, offset, size, `${where}/${name}`),
    close: () => source.close(),
  }
}

/** The sum of the header's bytes, its own field counted as blanks; old writers took the bytes as signed. */
function checkSum(where: string, header: Buffer, position: number): void {
  const field = `checksum of header at ${position}`
  const stored = octal(where, header.subarray(148, 156), field)
  let unsigned = 8 * 32
  let signed = 8 * 32
  header.forEach((byte, i) => {
    if (i >= 148 && i < 156) return
    unsigned += byte
    signed += (byte << 24) >> 24
  })
  if (stored !== unsigned && stored !== signed)
    throw formatError(where, field, `${unsigned}`, `${stored}`, 'The archive is damaged, or compressed.')
}

/** A number in octal digits or, marked by the highest bit, in base 256 (GNU, for 8 GiB and more). */
function octal(where: string, bytes: Buffer, field: string): number {
  const text = bytes.toString('latin1')
  let value: number | undefined
  if (bytes[0] === 0x80) {
    const wide = BigInt(`0x${bytes.toString('hex', 1)}`)
    if (wide <= Number.MAX_SAFE_INTEGER) value = Number(wide)
  } else if (/^ *[0-7]*[ \0]*$/.test(text)) value = parseInt(text, 8) || 0
  if (value === undefined) throw formatError(where, field, 'an octal number', JSON.stringify(text))
  return value
}

function decimal(where: string, text: string, field: string): number {
  if (!/^\d{1,15}$/.test(text)) throw formatError(where, field, 'a decimal number', JSON.stringify(text.slice(0, 40)))
  return Number(text)
}

function headerName(header: Buffer): string {
  const text = (start: number, length: number) => header.toString('utf8', start, start + length).replace(/\0[^]*$/, '')
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? text(345, 155) : ''
  return prefix ? `${prefix}/${text(0, 100)}` : text(0, 100)
}

/** pax records: "LENGTH KEY=VALUE\n", the length counting all of the record's bytes. */
function readRecords(where: string, bytes: Buffer, position: number, records: Map<string, string>): void {
  for (let at = 0; at < bytes.length;) {
    const digits = /^\d{1,7}(?= )/.exec(bytes.toString('latin1', at, at + 8))?.[0]
    const end = at + Number(digits)
    const record = digits ? bytes.toString('utf8', at + digits.length + 1, end) : ''
    const equals = record.indexOf('=')
    if (!digits || end > bytes.length || equals < 1 || !record.endsWith('\n'))
      throw formatError(
        where,
        `pax header at ${position}`,
        'records "LENGTH KEY=VALUE"',
        JSON.stringify(record.slice(0, 60)),
      )
    records.set(record.slice(0, equals), record.slice(equals + 1, -1))
    at = end
  }
}

/** After the closing block of zeros there may be more of them, nothing else. */
function checkEnd(source: ByteSource, position: number): void {
  const step = 1 << 20
  for (let at = position; at < source.size; at += step) {
    const rest = source.read(at, Math.min(step, source.size - at), 'end of archive')
    if (rest.some((byte) => byte !== 0))
      throw formatError(
        source.name,
        `end of archive at ${position}`,
        'nothing but zeros',
        'more data',
        'The archive is damaged.',
      )
  }
}

export interface TarWriter {
  add(name: string, bytes: Uint8Array): Promise<void>
  /** Writes the end and waits until everything is on disk's way. */
  close(): Promise<void>
}

/** Writes an archive entry by entry; only one is in memory at a time. The same entries give the same bytes. */
export function createTar(path: string): TarWriter {
  const archive = pack()
  const file = createWriteStream(path)
  archive.pipe(file)
  const done = finished(file)
  done.catch(() => {}) // reported by the next add or by close
  return {
    async add(name, bytes) {
      const written = new Promise<void>((resolve, reject) => {
        const header = { name, size: bytes.length, mtime: new Date(0) }
        archive.entry(header, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), (error) =>
          error ? reject(error) : resolve(),
        )
      })
      // A full disk ends the file, not the entry, so both are waited for.
      await Promise.race([written, done])
    },
    async close() {
      archive.finalize()
      await done
    },
  }
}
