import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import type { DType } from '../../src-main/formats/array.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { openNpz } from '../../src-main/formats/npz.ts'
import { fixture, fixtureBytes, fromMemory, messageOf, numbers, ruleValues } from './values.ts'

const expected: Record<string, [DType, number[]]> = {
  voxels: ['float32', [6, 5]],
  labels: ['int64', [6]],
  fortran: ['int16', [4, 3]],
}

describe.each(['stored', 'deflated'])('archives of NumPy, %s', (way) => {
  const file = openNpz(fixture(`npz_${way}.npz`))
  it('lists its arrays', () => expect(file.arrays.map(({ name }) => name)).toEqual(Object.keys(expected)))

  it.each(file.arrays)('$name', (entry) => {
    const [dtype, shape] = expected[entry.name]
    const all = ruleValues(dtype, shape)
    expect([entry.dtype, entry.shape]).toEqual([dtype, shape])
    expect(numbers(entry.read())).toEqual(all)
    const width = all.length / shape[0]
    for (let row = 0; row < shape[0]; row++)
      expect(numbers(entry.readRows(row, row + 1))).toEqual(all.slice(row * width, (row + 1) * width))
  })
})

describe('zip64 and other writers', () => {
  it('reads sizes of 64 bits', () => {
    const file = openNpz(fixture('npz_zip64.npz'))
    expect(file.arrays.map((entry) => numbers(entry.read()))).toEqual([ruleValues('float32', [3, 4])])
  })

  it('reads a header that lies beyond the beginning of a deflated member, and refuses other files', () => {
    const array = encodeNpy({
      dtype: 'uint8',
      shape: [70_000],
      data: new Uint8Array(70_000).map((_, i) => (i * i) % 251),
    })
    const [entry] = openNpz(fromMemory(zipSync({ 'a.npy': array }))).arrays
    expect(numbers(entry.readRows(69_998, 70_000))).toEqual([69_998 ** 2 % 251, 69_999 ** 2 % 251])
    expect(messageOf(() => openNpz(fromMemory(zipSync({ 'a.txt': array }))))).toContain(
      'a.txt: expected a member that ends in .npy',
    )
  })
})

describe('damaged archives', () => {
  const stored = fixtureBytes('npz_stored.npz')
  const deflated = fixtureBytes('npz_deflated.npz')
  /** Changes the first entry of the central directory. */
  function directory(bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array {
    const copy = Buffer.from(bytes)
    copy.set(values, copy.indexOf('PK\x01\x02', 0, 'latin1') + offset)
    return copy
  }
  it.each([
    ['cut short', stored.subarray(0, stored.length - 1), 'end of archive'],
    [
      'a member larger than the archive',
      directory(stored, 20, 0, 0, 0, 9),
      'voxels.npy, compressed size: expected at most',
    ],
    ['a stored member of two sizes', directory(stored, 24, 1, 0, 0, 0), 'voxels.npy, size'],
    ['a size that deflate cannot reach', directory(deflated, 24, 0, 0, 0, 127), 'voxels.npy, size: expected at most'],
    ['an encrypted member', directory(stored, 8, 1, 0), 'an encrypted one'],
    ['an unknown compression', directory(stored, 10, 14, 0), 'method 14'],
    ['an offset into nowhere', directory(stored, 42, 3, 0, 0, 0), 'voxels.npy, local header'],
    [
      'a directory of more entries',
      Buffer.from(stored).fill(9, stored.length - 12, stored.length - 11),
      'central directory',
    ],
    ['a byte before the archive', Buffer.concat([Buffer.from('x'), stored]), 'central directory'],
    [
      'a zip64 size that is not there',
      directory(stored, 24, 255, 255, 255, 255),
      'voxels.npy, size: expected a zip64 field',
    ],
  ])('%s', (_, bytes, message) => {
    const error = messageOf(() => openNpz(fromMemory(bytes)))
    expect(error).toMatch('MindEyeError: memory')
    expect(error).toContain(message)
  })

  it('a deflated member that is damaged, longer or shorter than declared', () => {
    const [size] = [20 * 6 + 128]
    const read = (bytes: Uint8Array) => messageOf(() => openNpz(fromMemory(bytes)).arrays[0].read())
    expect(read(directory(deflated, 16, 1, 2, 3, 4))).toContain('voxels.npy, checksum')
    expect(read(directory(deflated, 24, (size + 1) & 255, (size + 1) >> 8))).toContain(
      'shape: expected 120 bytes of data',
    )
    expect(read(deflated)).toBe('')
  })
})
