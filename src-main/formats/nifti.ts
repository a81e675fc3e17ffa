import { NIFTI1, NIFTI2 } from 'nifti-reader-js'
import { formatError } from '../base/errors.ts'
import { dtypes, elementCount, type DType, type NdArray, type TypedArray } from './array.ts'
import { GzipReader, gunzipWhole } from './gzip.ts'
import { maxRatio } from './inflate.ts'
import type { ByteSource } from './source.ts'

export { encodeNifti, type NiftiImage } from './niftiWrite.ts'

/** Element types by NIfTI datatype code; complex, RGB and 128-bit types are refused by name. */
const niftiTypes: Readonly<Record<number, DType>> = {
  2: 'uint8',
  4: 'int16',
  8: 'int32',
  16: 'float32',
  64: 'float64',
  256: 'int8',
  512: 'uint16',
  768: 'uint32',
  1024: 'int64',
  1280: 'uint64',
}

/** Gzipped images up to this size are inflated once and kept. */
const keptBytes = 256 << 20

const refusedTypes: Readonly<Record<number, string>> = {
  0: 'unknown',
  1: 'binary',
  32: 'complex64',
  128: 'RGB24',
  1536: 'float128',
  1792: 'complex128',
  2048: 'complex256',
  2304: 'RGBA32',
}

export interface NiftiFile {
  version: 1 | 2
  /** As stored; what `readVolume` returns when a scale is declared is described there. */
  dtype: DType
  /** All declared axes, e.g. [x, y, z] or [x, y, z, t]. */
  shape: number[]
  /** [x, y, z]: axes that a file leaves out count 1. */
  volumeShape: [number, number, number]
  /** Product of the axes after the third. */
  volumeCount: number
  /** Along x, y, z, in millimetres: like nibabel we take the header's numbers as they are, whatever unit it declares. */
  voxelSize: [number, number, number]
  /** 4 x 4, rows: voxel indices (i, j, k, 1) to millimetres in the file's world space. */
  affine: number[][]
  /** Where the affine comes from: `sform` wins over `qform`; `pixdim` is only a scale, the position is unknown. */
  affineSource: 'sform' | 'qform' | 'pixdim'
  /** value = slope * stored + intercept; 1 and 0 when none is declared. */
  slope: number
  intercept: number
  description: string
  /**
   * Volume `t` as [x, y, z] in C order (z varies fastest, element (i, j, k) at (i * ny + j) * nz + k), the order that numpy's
   * ravel of a nibabel volume gives. The stored type when there is no scale, otherwise float32 (float64 for 32- and 64-bit types).
   * Of a .nii.gz above 256 MB, volumes are read best in order: going back starts again from the front.
   */
  readVolume(t: number): NdArray
  close(): void
}

/** Opens a single-file NIfTI-1 or -2, plain or gzipped; every size is checked against the bytes present before data is read. */
export function openNifti(source: ByteSource): NiftiFile {
  const gzipped = source.size >= 2 && source.read(0, 2).join() === '31,139'
  const start = gzipped ? new GzipReader(source).read(4, 'header') : source.read(0, 4, 'header')
  const sizes = [true, false].map((little) => new DataView(start.slice().buffer).getInt32(0, little))
  const headerSize = sizes.find((size) => size === 348 || size === 540)
  if (!headerSize)
    throw formatError(
      source.name,
      'sizeof_hdr',
      '348 (NIfTI-1) or 540 (NIfTI-2)',
      String(sizes[0]),
      'This is not a NIfTI file.',
    )
  const bytes = gzipped ? new GzipReader(source).read(headerSize, 'header') : source.read(0, headerSize, 'header')
  const header = parseHeader(source.name, bytes, headerSize, sizes[0] === headerSize)

  const { dtype, volumeShape, volumeCount, offset } = header
  const volumeBytes = elementCount(volumeShape) * dtypes[dtype].BYTES_PER_ELEMENT
  const end = offset + volumeBytes * volumeCount
  const present = gzipped ? source.size * maxRatio : source.size
  if (end > present)
    throw formatError(
      source.name,
      'dim and datatype',
      `${end} bytes for ${dtype} [${header.shape}]`,
      gzipped ? `${source.size} gzipped bytes, which cannot hold them` : `a file of ${source.size} bytes`,
      'The file is cut short or its header is damaged.',
    )

  // Short gzipped images are kept whole, which also makes them random access; padding behind the image is allowed, as nibabel does.
  const padding = 1 << 16
  let whole: Uint8Array | undefined
  let reader: GzipReader | undefined
  function readBytes(t: number): Uint8Array {
    const at = offset + t * volumeBytes
    const field = `volume ${t}`
    if (!gzipped) return source.read(at, volumeBytes, field)
    if (end <= keptBytes) {
      whole ??= gunzipWhole(source, end + padding)
      if (whole.length < at + volumeBytes)
        throw formatError(source.name, field, `${end} decompressed bytes`, `${whole.length}`)
      return whole.subarray(at, at + volumeBytes)
    }
    if (!reader || reader.position > at) reader = new GzipReader(source)
    reader.skip(at - reader.position, field)
    const found = reader.read(volumeBytes, field)
    if (t === volumeCount - 1) reader.finish(padding)
    return found
  }

  const { little, shape, voxelSize, affine, affineSource, slope, intercept, description, version } = header
  return {
    ...{
      version,
      dtype,
      shape,
      volumeShape,
      volumeCount,
      voxelSize,
      affine,
      affineSource,
      slope,
      intercept,
      description,
    },
    readVolume(t) {
      if (!Number.isInteger(t) || t < 0 || t >= volumeCount)
        throw new RangeError(`volume ${t} of ${volumeCount} in ${source.name}`)
      const stored = toTyped(readBytes(t), dtype, little)
      return applyScale(toCOrder(stored, volumeShape), dtype, slope, intercept, volumeShape)
    },
    close: () => source.close(),
  }
}

function parseHeader(name: string, bytes: Uint8Array, headerSize: number, little: boolean) {
  const version = headerSize === 348 ? 1 : 2
  const header = version === 1 ? new NIFTI1() : new NIFTI2()
  header.littleEndian = false
  // the library also parses extensions when it is given more than the header; we have no use for them
  header.readHeader(bytes.slice().buffer)
  const bad = (field: string, expected: string, found: unknown, fix?: string) =>
    formatError(name, field, expected, String(found), fix ?? 'The header is damaged.')

  const magic = String.fromCharCode(...bytes.subarray(version === 1 ? 344 : 4, version === 1 ? 347 : 7))
  if (magic === `ni${version}`)
    throw bad(
      'magic',
      `n+${version} (one file)`,
      'ni (header and image apart)',
      'Convert the pair to a single .nii file.',
    )
  if (magic !== `n+${version}`) throw bad('magic', `n+${version}`, JSON.stringify(magic))

  const [rank, ...dims] = header.dims
  if (!(rank >= 1 && rank <= 7)) throw bad('dim[0]', '1 to 7 axes', rank)
  const shape = dims.slice(0, rank)
  shape.forEach((n, axis) => {
    if (!(Number.isSafeInteger(n) && n >= 1)) throw bad(`dim[${axis + 1}]`, 'a positive count', n)
  })
  if (!Number.isSafeInteger(shape.reduce((a, b) => a * b, 8))) throw bad('dim', 'a countable size', shape.join(' x '))

  const dtype = niftiTypes[header.datatypeCode]
  if (!dtype) {
    const found = refusedTypes[header.datatypeCode] ?? `code ${header.datatypeCode}`
    throw bad('datatype', 'an integer or floating-point type', found, 'Save the volume as float32.')
  }
  const bits = 8 * dtypes[dtype].BYTES_PER_ELEMENT
  if (header.numBitsPerVoxel !== bits) throw bad('bitpix', `${bits} for ${dtype}`, header.numBitsPerVoxel)

  const offset = header.vox_offset
  if (!(Number.isSafeInteger(offset) && offset >= headerSize)) throw bad('vox_offset', `at least ${headerSize}`, offset)

  // A slope of 0 (or NaN, as nibabel writes) means "no scale".
  const scaled = header.scl_slope !== 0 && Number.isFinite(header.scl_slope)
  if (scaled && !Number.isFinite(header.scl_inter)) throw bad('scl_inter', 'a finite number', header.scl_inter)

  const voxelSize = [1, 2, 3].map((axis) => Math.abs(axis <= rank ? header.pixDims[axis] : 1))
  const [affineSource, affine] = affineOf(header, new DataView(bytes.slice().buffer), version, little)
  if (!affine.flat().every(Number.isFinite)) throw bad(affineSource, 'finite numbers', affine.flat().join(' '))

  return {
    version: version as 1 | 2,
    little,
    dtype,
    shape,
    volumeShape: [0, 1, 2].map((axis) => shape[axis] ?? 1) as [number, number, number],
    volumeCount: shape.slice(3).reduce((a, b) => a * b, 1),
    voxelSize: voxelSize as [number, number, number],
    affine,
    affineSource,
    offset,
    slope: scaled ? header.scl_slope : 1,
    intercept: scaled ? header.scl_inter : 0,
    description: header.description.replace(/\0.*$/s, ''),
  }
}

/**
 * The standard's order of preference, as nibabel has it: sform, else qform, else the voxel sizes alone.
 * (nifti-reader-js compares the two codes instead and knows no qform in NIfTI-2, so its own `affine` is not used.)
 */
function affineOf(
  header: NIFTI1 | NIFTI2,
  view: DataView,
  version: 1 | 2,
  little: boolean,
): [NiftiFile['affineSource'], number[][]] {
  const square = (rows: number[][]) => [...rows, [0, 0, 0, 1]]
  if (header.sform_code > 0) {
    const at = (i: number) =>
      version === 1 ? view.getFloat32(280 + 4 * i, little) : view.getFloat64(400 + 8 * i, little)
    return ['sform', square([0, 4, 8].map((row) => [at(row), at(row + 1), at(row + 2), at(row + 3)]))]
  }
  const [qfac, dx, dy, dz] = header.pixDims
  if (header.qform_code > 0) {
    const { quatern_b: b, quatern_c: c, quatern_d: d } = header
    // unit quaternion from its vector part; rounding may leave that a hair longer than 1
    const a = Math.sqrt(Math.max(0, 1 - (b * b + c * c + d * d)))
    const size = [dx, dy, qfac < 0 ? -dz : dz]
    const rotation = [
      [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
      [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
      [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
    const shift = [header.qoffset_x, header.qoffset_y, header.qoffset_z]
    return ['qform', square(rotation.map((row, i) => [...row.map((v, j) => v * size[j]), shift[i]]))]
  }
  return [
    'pixdim',
    square([
      [dx, 0, 0, 0],
      [0, dy, 0, 0],
      [0, 0, dz, 0],
    ]),
  ]
}

/** Reinterprets fresh little- or big-endian bytes; swaps in place where needed. */
function toTyped(bytes: Uint8Array, dtype: DType, little: boolean): TypedArray {
  const size = dtypes[dtype].BYTES_PER_ELEMENT
  const own = bytes.byteOffset % size === 0 && little ? bytes : bytes.slice()
  if (!little && size > 1) for (let i = 0; i < own.length; i += size) own.subarray(i, i + size).reverse()
  return new dtypes[dtype](own.buffer as ArrayBuffer, own.byteOffset, own.length / size)
}

/** x-fastest storage to [x, y, z] in C order. */
function toCOrder(stored: TypedArray, [nx, ny, nz]: readonly number[]): TypedArray {
  const out = new (stored.constructor as new (length: number) => TypedArray)(stored.length)
  for (let k = 0, from = 0; k < nz; k++)
    for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++, from++) out[(i * ny + j) * nz + k] = stored[from]
  return out
}

function applyScale(data: TypedArray, dtype: DType, slope: number, intercept: number, shape: number[]): NdArray {
  if (slope === 1 && intercept === 0) return { dtype, shape: [...shape], data }
  const wide = dtypes[dtype].BYTES_PER_ELEMENT > 2 && dtype !== 'float32'
  const out = wide ? new Float64Array(data.length) : new Float32Array(data.length)
  for (let i = 0; i < out.length; i++) out[i] = Number(data[i]) * slope + intercept
  return { dtype: wide ? 'float64' : 'float32', shape: [...shape], data: out }
}
