import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { GzipReader } from '../../src-main/formats/gzip.ts'
import { encodeNifti, openNifti, type NiftiFile } from '../../src-main/formats/nifti.ts'
import { openBytes, openFile } from '../../src-main/formats/source.ts'

const path = (name: string) => fileURLToPath(new URL(`../fixtures/formats/${name}`, import.meta.url))
const fixture = (name: string) => new Uint8Array(readFileSync(path(name)))

/** The volumes of makeB.py: value = i + 10j + 100k + 1000t over (3, 4, 5), here in C order. */
function volume(t: number): number[] {
  const out = []
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 4; j++) for (let k = 0; k < 5; k++) out.push(i + 10 * j + 100 * k + 1000 * t)
  return out
}
const sform = [
  [1.8, 0, 0, -70],
  [0, 1.8, 0.2, -80],
  [0, -0.2, 1.8, -60],
  [0, 0, 0, 1],
]
function expectClose(found: number[][], expected: number[][], tolerance = 1e-5) {
  expect(found.length).toBe(4)
  found.forEach((row, i) => row.forEach((v, j) => expect(Math.abs(v - expected[i][j])).toBeLessThan(tolerance)))
}
function failure(run: () => unknown): MindEyeError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(MindEyeError)
    return error as MindEyeError
  }
  throw new Error('nothing was thrown')
}
function withFile<T>(name: string, use: (file: NiftiFile) => T): T {
  const file = openNifti(openFile(path(name)))
  try {
    return use(file)
  } finally {
    file.close()
  }
}

describe('files written by nibabel', () => {
  test.each([
    ['int16.nii', 1, 'int16'],
    ['int16.nii.gz', 1, 'int16'],
    ['big.nii', 1, 'int16'],
    ['float32v2.nii', 2, 'float32'],
  ] as const)('%s', (name, version, dtype) =>
    withFile(name, (file) => {
      expect(file).toMatchObject({ version, dtype, shape: [3, 4, 5, 2], volumeShape: [3, 4, 5], volumeCount: 2 })
      expect(file).toMatchObject({ affineSource: 'sform', slope: 1, intercept: 0 })
      expectClose(file.affine, sform)
      // out of order, so that the gzipped one has to start again
      for (const t of [1, 0, 1]) {
        const read = file.readVolume(t)
        expect(read).toMatchObject({ dtype, shape: [3, 4, 5] })
        expect([...read.data]).toEqual(volume(t))
      }
      expect(() => file.readVolume(2)).toThrow(RangeError)
    }),
  )

  test('scl_slope and scl_inter', () =>
    withFile('scaled.nii', (file) => {
      expect(file).toMatchObject({ dtype: 'int16', slope: 0.5, intercept: 7 })
      expect(file.readVolume(1).dtype).toBe('float32')
      expect([...file.readVolume(1).data]).toEqual(volume(1).map((v) => 0.5 * v + 7))
    }))

  test('the affine falls back to qform, then to the voxel sizes', () => {
    const expected = new TextDecoder().decode(fixture('qform.affine.txt')).trim().split('\n')
    withFile('qform.nii', (file) => {
      expect(file).toMatchObject({ affineSource: 'qform', shape: [3, 4, 5], volumeCount: 1 })
      expectClose(
        file.affine,
        expected.map((line) => line.trim().split(' ').map(Number)),
      )
      file.voxelSize.forEach((v, i) => expect(v).toBeCloseTo([1.5, 2, 2.5][i], 5))
    })
    withFile('noform.nii', (file) => {
      expect(file.affineSource).toBe('pixdim')
      expectClose(file.affine, [
        [2, 0, 0, 0],
        [0, 3, 0, 0],
        [0, 0, 4, 0],
        [0, 0, 0, 1],
      ])
    })
  })
})

test('a header with qform and sform in NIfTI-2 keeps their precision', () =>
  withFile('float32v2.nii', (file) => expectClose(file.affine, sform, 1e-12)))

describe('encodeNifti', () => {
  test.each(['uint8', 'int16', 'float32'] as const)('%s comes back, plain and gzipped', (dtype) => {
    const volumes = [0, 1, 2].map((t) => Float64Array.from(volume(0), (v) => (v + t) % 250))
    for (const gzip of [false, true]) {
      const bytes = encodeNifti(
        { dtype, volumeShape: [3, 4, 5], volumes, affine: sform, description: 'made here' },
        { gzip },
      )
      const file = openNifti(openBytes(bytes, 'made.nii'))
      expect(file).toMatchObject({ dtype, shape: [3, 4, 5, 3], description: 'made here', affineSource: 'sform' })
      expectClose(file.affine, sform)
      file.voxelSize.forEach((v, i) => expect(v).toBeCloseTo([1.8, Math.hypot(1.8, 0.2), Math.hypot(1.8, 0.2)][i], 5))
      volumes.forEach((v, t) => expect([...file.readVolume(t).data]).toEqual([...v]))
    }
  })

  test('equals what nibabel wrote, but for the fields that we leave empty', () => {
    const volumes = [0, 1].map((t) => Int16Array.from(volume(t)))
    const ours = encodeNifti({ dtype: 'int16', volumeShape: [3, 4, 5], volumes, affine: sform })
    const theirs = fixture('int16.nii')
    expect(ours.subarray(352)).toEqual(theirs.subarray(352))
    expect(ours.subarray(40, 76)).toEqual(theirs.subarray(40, 76))
    expect(ours.subarray(280, 328)).toEqual(theirs.subarray(280, 328))
  })

  test('refuses volumes of another size', () => {
    const image = { dtype: 'int16', volumeShape: [3, 4, 5], volumes: [new Int16Array(59)], affine: sform } as const
    expect(() => encodeNifti({ ...image, volumes: [...image.volumes] })).toThrow('59 values')
  })
})

describe('damaged headers are refused by field', () => {
  const changed = (change: (view: DataView) => void, name = 'int16.nii') => {
    const bytes = fixture(name)
    change(new DataView(bytes.buffer))
    return failure(() => openNifti(openBytes(bytes, name)).readVolume(0)).parts
  }
  test.each([
    ['sizeof_hdr', (v: DataView) => v.setInt32(0, 349, true)],
    ['magic', (v: DataView) => v.setUint8(345, 0x69)],
    ['dim[0]', (v: DataView) => v.setInt16(40, 9, true)],
    ['dim[2]', (v: DataView) => v.setInt16(44, -4, true)],
    ['dim and datatype', (v: DataView) => v.setInt16(44, 5, true)],
    ['datatype', (v: DataView) => v.setInt16(70, 32, true)],
    ['bitpix', (v: DataView) => v.setInt16(72, 32, true)],
    ['vox_offset', (v: DataView) => v.setFloat32(108, 1.5, true)],
    ['sform', (v: DataView) => v.setFloat32(280, NaN, true)],
    ['scl_inter', (v: DataView) => (v.setFloat32(112, 1, true), v.setFloat32(116, Infinity, true))],
  ])('%s', (field, change) => expect(changed(change).field).toBe(field))

  test('380 bytes that declare 18 GB ask for no memory', () => {
    const bytes = fixture('int16.nii').slice(0, 380)
    const view = new DataView(bytes.buffer)
    for (const axis of [1, 2, 3]) view.setInt16(40 + 2 * axis, 2100, true)
    for (const hostile of [bytes, new Uint8Array(gzipSync(bytes))]) {
      const before = process.memoryUsage().rss
      expect(failure(() => openNifti(openBytes(hostile, 'hostile.nii'))).parts.field).toBe('dim and datatype')
      expect(process.memoryUsage().rss - before).toBeLessThan(50e6)
    }
  })

  test('a pair of header and image says what to do', () => {
    const bytes = fixture('int16.nii')
    bytes.set([0x6e, 0x69, 0x31], 344)
    expect(failure(() => openNifti(openBytes(bytes, 'pair.hdr'))).parts.fix).toContain('single .nii')
  })
})

describe('damaged gzip', () => {
  const good = fixture('int16.nii.gz')
  const refused = (bytes: Uint8Array) => {
    expect(failure(() => openNifti(openBytes(bytes, 'a.nii.gz')).readVolume(1)).parts.where).toBe('a.nii.gz')
    // the reader for images too large to keep must notice the same
    return failure(() => {
      const reader = new GzipReader(openBytes(bytes, 'a.nii.gz'))
      reader.read(592, 'volume')
      reader.finish(1000)
    }).parts.field
  }
  test('cut anywhere', () => {
    for (let length = 2; length < good.length; length += 7) refused(good.slice(0, length))
  })
  test('a wrong checksum', () => {
    const bytes = good.slice()
    bytes[bytes.length - 6] ^= 1
    expect(refused(bytes)).toBe('gzip checksum')
  })
  test('a bomb behind the image stops at the budget', () => {
    expect(refused(new Uint8Array(gzipSync(Buffer.concat([gunzipSync(good), Buffer.alloc(50_000_000)]))))).toBe(
      'gzip data',
    )
  })
})

test('GzipReader gives the bytes in order, in requests of any size, also from several members', () => {
  const plain = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7)
  for (const parts of [[plain], [plain.subarray(0, 100_000), plain.subarray(100_000)]]) {
    const reader = new GzipReader(openBytes(new Uint8Array(Buffer.concat(parts.map((p) => gzipSync(p)))), 'x.gz'))
    const found = [1, 70_000, 0, 29_999].map((n) => reader.read(n, 'data'))
    expect(Buffer.concat(found)).toEqual(Buffer.from(plain.subarray(0, 100_000)))
    reader.skip(150_000, 'data')
    expect(reader.position).toBe(250_000)
    expect(reader.read(50_000, 'data')).toEqual(plain.subarray(250_000))
    expect(() => reader.finish(0)).not.toThrow()
    expect(failure(() => reader.read(1, 'more')).parts.field).toBe('more')
  }
})
