/** FreeSurfer's volumes, .mgh and gzipped .mgz: also maps of a surface, which are volumes of N x 1 x 1. */
import { formatError } from '../base/errors.ts'
import { elementCount, type DType, type NdArray, type TypedArray } from './array.ts'
import { fromBytes, itemSize, toRowMajor } from './elements.ts'
import { gunzipWhole } from './gzip.ts'
import { checkExpansion, inflatePrefix, prefixLength } from './inflate.ts'
import { openBytes, type ByteSource } from './source.ts'

const dataStart = 284
/** Behind the data come times of the scan and tags of any length that we do not read. */
const maxFooter = 16 * 2 ** 20
const types: Readonly<Record<number, DType>> = { 0: 'uint8', 1: 'int32', 3: 'float32', 4: 'int16', 10: 'uint16' }

export interface MghFile {
  dtype: DType
  /** [x, y, z] */
  shape: [number, number, number]
  frames: number
  /** 4 x 4 row by row, voxel indices to the scanner's RAS in millimetres; undefined when the file says that it is unknown. */
  affine?: number[]
  /** Frame `t` as [x, y, z] in C order, z fastest. */
  readFrame(t: number): NdArray
  close(): void
}

/** Opens an .mgh, or an .mgz, which is inflated whole. Throws a format error for sizes beyond the bytes present. */
export function openMgh(file: ByteSource): MghFile {
  const where = file.name
  const isGzipped = file.size >= 2 && file.read(0, 2).join() === '31,139'
  const source = isGzipped ? openBytes(gunzipWhole(file, declaredSize(file)), where) : file
  const head = Buffer.from(source.read(0, dataStart, 'header'))
  const { dtype, shape, frames } = sizes(where, head)
  const frameSize = elementCount(shape) * itemSize(dtype)
  if (frameSize * frames > source.size - dataStart)
    throw formatError(
      where,
      'dimensions and type',
      `${frameSize * frames} bytes for ${dtype} [${shape}] x ${frames}`,
      `${source.size - dataStart} bytes`,
      'The file is cut short or damaged.',
    )
  return {
    dtype,
    shape,
    frames,
    affine: affineOf(where, head, shape),
    readFrame(t) {
      if (!Number.isInteger(t) || t < 0 || t >= frames) throw new RangeError(`frame ${t} of ${frames} in ${where}`)
      const bytes = source.read(dataStart + t * frameSize, frameSize, `frame ${t}`)
      return { dtype, shape: [...shape], data: toRowMajor<TypedArray>(fromBytes(bytes, dtype, false), shape) }
    },
    close: () => file.close(),
  }
}

/** How much an .mgz inflates to at most, by the header in its first bytes. */
function declaredSize(file: ByteSource): number {
  const prefix = inflatePrefix(file.name, 'gzip data', file.read(0, Math.min(prefixLength, file.size)), 'gzip')
  const first = openBytes(prefix, file.name)
  const { dtype, shape, frames } = sizes(file.name, Buffer.from(first.read(0, dataStart, 'header')))
  const declared = elementCount(shape) * itemSize(dtype) * frames
  checkExpansion(file.name, 'dimensions and type', file.size, declared)
  return dataStart + declared + maxFooter
}

function sizes(where: string, head: Buffer): { dtype: DType; shape: [number, number, number]; frames: number } {
  const version = head.readInt32BE(0)
  if (version !== 1) throw formatError(where, 'version', '1', `${version}`)
  const [nx, ny, nz, frames, type] = [4, 8, 12, 16, 20].map((at) => head.readInt32BE(at))
  const shape: [number, number, number] = [nx, ny, nz]
  const count = [...shape, frames].reduce((a, b) => a * b, 4)
  if ([...shape, frames].some((n) => n < 1) || !Number.isSafeInteger(count))
    throw formatError(
      where,
      'dimensions',
      'four positive numbers whose product can be counted',
      `${[...shape, frames].join(' x ')}`,
    )
  const dtype = types[type]
  if (!dtype) throw formatError(where, 'type', 'uint8, int16, uint16, int32 or float32', `code ${type}`)
  return { dtype, shape, frames }
}

/** Of direction cosines, voxel sizes and the place of the volume's centre. */
function affineOf(where: string, head: Buffer, shape: readonly number[]): number[] | undefined {
  if (head.readInt16BE(28) !== 1) return undefined
  const floats = Array.from({ length: 15 }, (_, i) => head.readFloatBE(30 + 4 * i))
  if (!floats.every(Number.isFinite)) throw formatError(where, 'orientation', 'finite numbers', floats.join(' '))
  const [size, cosines, centre] = [floats.slice(0, 3), floats.slice(3, 12), floats.slice(12)]
  const rows = [0, 1, 2].map((row) => {
    const columns = [0, 1, 2].map((c) => cosines[3 * c + row] * size[c])
    return [...columns, centre[row] - columns.reduce((sum, value, c) => sum + (value * shape[c]) / 2, 0)]
  })
  return [...rows.flat(), 0, 0, 0, 1]
}

/** Whether these first bytes, of the file or of what it inflates to, are those of an MGH volume. */
export const isMghHead = (head: Buffer): boolean =>
  head.length >= dataStart &&
  head.readInt32BE(0) === 1 &&
  [4, 8, 12, 16].every((at) => head.readInt32BE(at) > 0) &&
  head.readInt32BE(20) in types
