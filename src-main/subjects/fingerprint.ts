import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { MindEyeError } from '../base/errors.ts'
import { openFile } from '../formats/source.ts'

/** A source file as it was at import. */
export interface SourceRecord {
  path: string
  /** Bytes. */
  size: number
  /** Modification time, ms since 1970; with the size it lets an untouched file pass without being read. */
  mtimeMs: number
  fingerprint: string
}

const WHOLE_FILE_LIMIT = 64 * 2 ** 20
const SLICE = 2 ** 20
const SLICES = 64

/**
 * `sha256:…` of the whole file up to 64 MiB. Above, `sampled-sha256:…` of the size and 64 slices of 1 MiB, evenly spaced with the
 * first and last included: it notices another file, a cut one, or a changed header, not every flipped byte; reading 40 GB to
 * open a subject would be worse.
 */
export function fingerprint(path: string): string {
  const source = openFile(path)
  try {
    const hash = createHash('sha256')
    if (source.size <= WHOLE_FILE_LIMIT) {
      for (let at = 0; at < source.size; at += SLICE) hash.update(source.read(at, Math.min(SLICE, source.size - at)))
      return `sha256:${hash.digest('hex')}`
    }
    hash.update(`${source.size}\n`)
    for (let i = 0; i < SLICES; i++)
      hash.update(source.read(Math.floor(((source.size - SLICE) * i) / (SLICES - 1)), SLICE))
    return `sampled-sha256:${hash.digest('hex')}`
  } finally {
    source.close()
  }
}

export function recordSource(path: string): SourceRecord {
  const { size, mtimeMs } = statSync(path)
  return { path, size, mtimeMs, fingerprint: fingerprint(path) }
}

/** Throws a state error when a source has moved or changed since import. */
export function verifySource(record: SourceRecord): void {
  const fail = (expected: string, found: string) =>
    new MindEyeError({
      kind: 'state',
      where: record.path,
      field: 'source of an imported subject',
      expected,
      found,
      fix: 'Put the original file back, or import the data again.',
    })
  if (!existsSync(record.path)) throw fail('the file at this place', 'no file')
  const now = statSync(record.path)
  if (now.size !== record.size) throw fail(`${record.size} bytes`, `${now.size} bytes`)
  if (now.mtimeMs === record.mtimeMs) return
  if (fingerprint(record.path) !== record.fingerprint) throw fail('the contents that were imported', 'other contents')
}
