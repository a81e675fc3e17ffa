/**
 * Bounded inflating. Deflate turns one byte into at most 1032, so a declared size beyond that is refused unread; what is allowed is
 * the declared size and nothing more.
 */
import { constants, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import { formatError } from '../base/errors.ts'

export const maxRatio = 1032
/** Compressed bytes from which the beginning of a stream is taken; they hold at most 8 MiB. */
export const prefixLength = 8192

type Wrapper = 'zlib' | 'raw' | 'gzip'
const inflaters = { zlib: inflateSync, raw: inflateRawSync, gzip: gunzipSync }

/** Throws unless `compressed` bytes can hold `declared` ones. */
export function checkExpansion(where: string, field: string, compressed: number, declared: number): void {
  if (declared > maxRatio * compressed)
    throw formatError(
      where,
      field,
      `at most ${maxRatio * compressed} bytes in ${compressed} compressed ones`,
      `${declared}`,
    )
}

/** Exactly `declared` bytes; throws a format error when the stream holds more, fewer or is damaged. */
export function inflateExactly(
  where: string,
  field: string,
  bytes: Uint8Array,
  declared: number,
  wrapper: Wrapper,
): Uint8Array {
  checkExpansion(where, field, bytes.length, declared)
  const inflated = run(where, field, () =>
    // One chunk with room to spare: zlib would otherwise gather pieces and join them, twice the memory.
    inflaters[wrapper](bytes, { chunkSize: declared + 64, maxOutputLength: Math.max(declared, 1) }),
  )
  if (inflated.length !== declared)
    throw formatError(where, field, `${declared} bytes after inflating`, `${inflated.length}`)
  return inflated
}

/** The first bytes of a stream, for looking at headers. */
export function inflatePrefix(where: string, field: string, bytes: Uint8Array, wrapper: Wrapper): Uint8Array {
  const some = bytes.subarray(0, prefixLength)
  // Flushed rather than finished: the end of the stream is missing.
  return run(where, field, () => inflaters[wrapper](some, { finishFlush: constants.Z_SYNC_FLUSH }))
}

function run(where: string, field: string, inflate: () => Buffer): Uint8Array {
  try {
    return inflate()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'an error'
    throw formatError(where, field, 'a compressed stream of the declared size', reason, 'The file is damaged.')
  }
}
