import { gzipSync } from 'node:zlib'
import { dtypes, elementCount, type TypedArray } from './array.ts'

export interface NiftiImage {
  dtype: 'uint8' | 'int16' | 'float32'
  /** [x, y, z] of every volume. */
  volumeShape: readonly [number, number, number]
  /** One for a 3-D file; C order, z fastest, as `readVolume` returns them. */
  volumes: TypedArray[]
  /** 4 x 4 rows, voxel indices to millimetres; written as sform, and the voxel sizes are its column lengths. */
  affine: number[][]
  /** Readers compute slope * stored + intercept. */
  slope?: number
  intercept?: number
  description?: string
}

/** The bytes of a NIfTI-1 .nii file (of a .nii.gz with `gzip`). */
export function encodeNifti(image: NiftiImage, options: { gzip?: boolean } = {}): Uint8Array {
  const { dtype, volumeShape, volumes, affine } = image
  const [nx, ny, nz] = volumeShape
  const count = elementCount(volumeShape)
  if ([nx, ny, nz, volumes.length].some((n) => n < 1 || n > 32767))
    throw new RangeError('NIfTI-1 counts 1 to 32767 on each axis')
  const size = dtypes[dtype].BYTES_PER_ELEMENT
  const offset = 352
  const bytes = new Uint8Array(offset + count * volumes.length * size)
  bytes.set(niftiHeader(image, offset))
  volumes.forEach((volume, t) => {
    if (volume.length !== count) throw new RangeError(`volume ${t} has ${volume.length} values instead of ${count}`)
    const out = new dtypes[dtype](bytes.buffer, offset + t * count * size, count)
    for (let k = 0, to = 0; k < nz; k++)
      for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++, to++) out[to] = Number(volume[(i * ny + j) * nz + k])
  })
  if (affine.length !== 4) throw new RangeError('the affine must be 4 x 4')
  return options.gzip ? new Uint8Array(gzipSync(bytes)) : bytes
}

/** Header fields by their offsets in nifti1.h. */
function niftiHeader(image: NiftiImage, offset: number): Uint8Array {
  const { dtype, volumeShape, volumes, affine, slope = 1, intercept = 0, description = '' } = image
  const bytes = new Uint8Array(348)
  const view = new DataView(bytes.buffer)
  const shape = volumes.length > 1 ? [...volumeShape, volumes.length] : [...volumeShape]
  view.setInt32(0, 348, true)
  const dims = [shape.length, ...shape, 1, 1, 1, 1].slice(0, 8)
  dims.forEach((n, i) => view.setInt16(40 + 2 * i, n, true))
  view.setInt16(70, { uint8: 2, int16: 4, float32: 16 }[dtype], true)
  view.setInt16(72, 8 * dtypes[dtype].BYTES_PER_ELEMENT, true)
  const voxelSize = [0, 1, 2].map((column) => Math.hypot(...affine.slice(0, 3).map((row) => row[column])))
  const pixdim = [1, ...voxelSize, 1, 1, 1, 1]
  pixdim.forEach((v, i) => view.setFloat32(76 + 4 * i, v, true))
  view.setFloat32(108, offset, true)
  view.setFloat32(112, slope, true)
  view.setFloat32(116, intercept, true)
  bytes[123] = 2 // millimetres
  bytes.set(new TextEncoder().encode(description).subarray(0, 79), 148)
  view.setInt16(254, 2, true) // sform code: aligned to another image
  affine
    .slice(0, 3)
    .flat()
    .forEach((v, i) => view.setFloat32(280 + 4 * i, v, true))
  bytes.set(new TextEncoder().encode('n+1'), 344)
  return bytes
}
