/** FreeSurfer's numbers per vertex (lh.curv, lh.sulc, lh.thickness, lh.area), in the format of today and in the old one. */
import { formatError } from '../base/errors.ts'
import { fromBytes } from './elements.ts'
import type { ByteSource } from './source.ts'

const newMagic = 0xffffff
/** The old format keeps 16-bit integers of this many times the value. */
const oldScale = 100

/** One number per vertex, (N). Throws a format error when the declared count is not the bytes present. */
export function readFreesurferCurvature(source: ByteSource): Float32Array {
  const where = source.name
  const head = Buffer.from(source.read(0, 6, 'header'))
  if (head.readUIntBE(0, 3) !== newMagic) return readOld(source, head.readUIntBE(0, 3))
  const counts = Buffer.from(source.read(3, 12, 'counts'))
  const [n, , perVertex] = [0, 4, 8].map((at) => counts.readInt32BE(at))
  if (perVertex !== 1) throw formatError(where, 'values per vertex', '1', `${perVertex}`)
  if (n < 1 || n * 4 !== source.size - 15)
    throw formatError(where, 'vertices', `${(source.size - 15) / 4}, by the size of the file`, `${n}`)
  return fromBytes(source.read(15, n * 4, 'values'), 'float32', false) as Float32Array
}

function readOld(source: ByteSource, n: number): Float32Array {
  if (n < 1 || n * 2 !== source.size - 6)
    throw formatError(
      source.name,
      'magic or vertices',
      'ffffff, or the count of an old file of this size',
      n.toString(16),
      'This is not a FreeSurfer file of one number per vertex.',
    )
  const stored = fromBytes(source.read(6, n * 2, 'values'), 'int16', false) as Int16Array
  return Float32Array.from(stored, (value) => value / oldScale)
}

/** Whether a file without a mark of its own is an old curvature file: its counts are those of a closed mesh and of its size. */
export function isOldCurvature(head: Buffer, size: number): boolean {
  if (head.length < 6) return false
  const [n, faces] = [head.readUIntBE(0, 3), head.readUIntBE(3, 3)]
  return n > 3 && size === 6 + 2 * n && faces === 2 * n - 4
}
