import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { formatError } from '../base/errors.ts'

/** Bytes that can be read in slices: a file on disk or a buffer. All readers in this folder take one. */
export interface ByteSource {
  /** Name shown in errors. */
  readonly name: string
  /** Path on disk, absent for buffers. */
  readonly path?: string
  readonly size: number
  /** Exactly `length` bytes from `offset`; throws a format error that names `field` when the source is shorter. */
  read(offset: number, length: number, field?: string): Uint8Array
  close(): void
}

/** The operating system refuses single reads of 2 GiB and more. */
const maxReadLength = 2 ** 30

function checkRange(name: string, size: number, offset: number, length: number, field: string): void {
  if (
    !Number.isSafeInteger(offset) ||
    !Number.isSafeInteger(length) ||
    offset < 0 ||
    length < 0 ||
    offset + length > size
  )
    throw formatError(
      name,
      field,
      `${length} bytes at offset ${offset}`,
      `a file of ${size} bytes`,
      'The file is cut short or damaged.',
    )
}

export function openFile(path: string): ByteSource {
  const fd = openSync(path, 'r')
  const { size } = fstatSync(fd)
  const name = basename(path)
  return {
    name,
    path,
    size,
    read(offset, length, field = 'data') {
      checkRange(name, size, offset, length, field)
      const bytes = new Uint8Array(length)
      for (let done = 0; done < length;) {
        const got = readSync(fd, bytes, done, Math.min(length - done, maxReadLength), offset + done)
        if (got === 0)
          throw formatError(
            name,
            field,
            `${length} bytes`,
            `${done} bytes`,
            'The file became shorter while it was read.',
          )
        done += got
      }
      return bytes
    },
    close: () => closeSync(fd),
  }
}

export function openBytes(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    size: bytes.length,
    read(offset, length, field = 'data') {
      checkRange(name, bytes.length, offset, length, field)
      return bytes.subarray(offset, offset + length)
    },
    close() {},
  }
}

/** A stretch of another source under a name of its own; closing it leaves the other open. */
export function openSlice(source: ByteSource, offset: number, size: number, name: string): ByteSource {
  checkRange(source.name, source.size, offset, size, name)
  return {
    name,
    size,
    read(start, length, field = 'data') {
      checkRange(name, size, start, length, field)
      return source.read(offset + start, length, field)
    },
    close() {},
  }
}
