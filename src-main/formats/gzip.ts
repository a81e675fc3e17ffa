import { crc32, gunzipSync } from 'node:zlib'
import { Gunzip } from 'fflate'
import { MindEyeError, formatError } from '../base/errors.ts'
import type { ByteSource } from './source.ts'

/** All of a gzip file at once, checksum verified; throws a format error above `budget` bytes. Several times as fast as `GzipReader`. */
export function gunzipWhole(source: ByteSource, budget: number): Uint8Array {
  try {
    return gunzipSync(source.read(0, source.size, 'gzip data'), { maxOutputLength: budget })
  } catch (error) {
    throw broken(source, error)
  }
}

function broken(source: ByteSource, error: unknown): MindEyeError {
  if (error instanceof MindEyeError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return formatError(source.name, 'gzip data', 'an intact stream', `"${reason}"`, 'The file is cut short or damaged.')
}

/** How much the compressed file is read at a time: bounds what one step can expand to (about 17 MB). */
const slice = 16 * 1024

/**
 * Reads forward through a gzip file without holding more than a slice of it: bytes come out in order, in requests of any size.
 * fflate is used because it can inflate piecewise without a callback loop; the checksum, which it leaves out, is verified here.
 */
export class GzipReader {
  /** Bytes handed out so far. */
  position = 0
  private source: ByteSource
  private gunzip: Gunzip
  private input = 0
  private furtherMembers = 0
  private pending: Uint8Array[] = []
  private crc = 0
  private total = 0

  constructor(source: ByteSource) {
    this.source = source
    this.gunzip = new Gunzip((piece) => {
      this.crc = crc32(piece, this.crc)
      this.total += piece.length
      if (piece.length) this.pending.push(piece)
    })
    this.gunzip.onmember = () => this.furtherMembers++
  }

  /** The next `length` bytes; throws a format error that names `field` when the stream ends before. */
  read(length: number, field: string): Uint8Array {
    const out = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const piece = this.next()
      if (!piece)
        throw formatError(
          this.source.name,
          field,
          `${length} decompressed bytes`,
          `${done}`,
          'The file is cut short or damaged.',
        )
      const part = piece.subarray(0, length - done)
      out.set(part, done)
      done += part.length
      if (part.length < piece.length) this.pending.unshift(piece.subarray(part.length))
    }
    this.position += length
    return out
  }

  skip(length: number, field: string): void {
    for (let left = length; left > 0; left -= slice) this.read(Math.min(left, slice), field)
  }

  /** After the last wanted byte: reads to the end, at most `budget` bytes more, and verifies the checksum. */
  finish(budget: number): void {
    for (let rest = 0, piece; (piece = this.next());) {
      rest += piece.length
      if (rest > budget)
        throw formatError(this.source.name, 'gzip data', `at most ${budget} bytes after the image`, `more than ${rest}`)
    }
    // Of several members only the last one has its sum at the end; such files are rare and pass unverified.
    if (this.furtherMembers) return
    const trailer = new DataView(this.source.read(this.source.size - 8, 8, 'gzip trailer').slice().buffer)
    if (trailer.getUint32(0, true) !== this.crc || trailer.getUint32(4, true) !== this.total % 2 ** 32)
      throw formatError(
        this.source.name,
        'gzip checksum',
        'the sum of the data',
        'another',
        'The file is damaged; copy it again.',
      )
  }

  private next(): Uint8Array | undefined {
    while (!this.pending.length && this.input < this.source.size) {
      const length = Math.min(slice, this.source.size - this.input)
      const bytes = this.source.read(this.input, length, 'gzip data')
      this.input += length
      try {
        this.gunzip.push(bytes, this.input === this.source.size)
      } catch (error) {
        throw broken(this.source, error)
      }
    }
    return this.pending.shift()
  }
}
