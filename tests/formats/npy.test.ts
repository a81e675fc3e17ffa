import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dtypes } from '../../src-main/formats/array.ts'
import type { DType } from '../../src-main/formats/array.ts'
import { toBytes } from '../../src-main/formats/elements.ts'
import { encodeNpy, npyHeader, openNpy } from '../../src-main/formats/npy.ts'
import { fixture, fixtureBytes, fromMemory, messageOf, numbers, ruleValues } from './values.ts'

const npyTypes = (Object.keys(dtypes) as DType[]).filter((dtype) => dtype !== 'bfloat16')

describe('NumPy files as NumPy writes them', () => {
  const cases: [string, DType, number[]][] = [
    ['b1', 'bool', [3, 5]],
    ['i1', 'int8', [3, 5]],
    ['u1', 'uint8', [3, 5]],
    ['le_i2', 'int16', [3, 5]],
    ['be_i2', 'int16', [3, 5]],
    ['le_u2', 'uint16', [3, 5]],
    ['le_i4', 'int32', [3, 5]],
    ['be_i4', 'int32', [3, 5]],
    ['le_u4', 'uint32', [3, 5]],
    ['le_i8', 'int64', [3, 5]],
    ['be_i8', 'int64', [3, 5]],
    ['le_u8', 'uint64', [3, 5]],
    ['le_f2', 'float16', [3, 5]],
    ['be_f2', 'float16', [3, 5]],
    ['le_f4', 'float32', [3, 5]],
    ['be_f4', 'float32', [3, 5]],
    ['le_f8', 'float64', [3, 5]],
    ['v2', 'float32', [3, 5]],
    ['v3', 'float32', [3, 5]],
    ['fortran', 'float32', [4, 3, 5]],
    ['fortran_be', 'int16', [4, 6]],
    ['scalar', 'float64', []],
    ['empty', 'float32', [0, 4]],
  ]
  it.each(cases)('%s', (name, dtype, shape) => {
    const file = openNpy(fixture(`npy_${name}.npy`))
    const [entry] = file.arrays
    expect([entry.name, entry.dtype, entry.shape]).toEqual([`npy_${name}`, dtype, shape])
    const all = ruleValues(dtype, shape)
    expect(numbers(entry.read())).toEqual(all)
    if (shape.length) {
      const width = all.length / (shape[0] || 1)
      for (let start = 0; start <= shape[0]; start++)
        for (let stop = start; stop <= shape[0]; stop++)
          expect(numbers(entry.readRows(start, stop))).toEqual(all.slice(start * width, stop * width))
    }
    expect(() => entry.readRows(0, (shape[0] ?? 0) + 1)).toThrow(RangeError)
    file.close()
  })

  it.each([
    ['object', 'pickled Python objects'],
    ['complex', 'complex numbers'],
    ['records', 'records'],
  ])('%s arrays are refused by name', (name, words) => {
    expect(messageOf(() => openNpy(fixture(`npy_${name}.npy`)))).toMatch(
      new RegExp(`^MindEyeError: npy_${name}.npy, descr: expected .*${words}`),
    )
  })
})

describe('encodeNpy', () => {
  it("writes NumPy's bytes", () => {
    for (const [name, dtype] of [
      ['le_f4', 'float32'],
      ['u1', 'uint8'],
    ] as const) {
      const [entry] = openNpy(fixture(`npy_${name}.npy`)).arrays
      expect(Buffer.from(encodeNpy(entry.read())).equals(fixtureBytes(`npy_${name}.npy`))).toBe(true)
      expect(entry.dtype).toBe(dtype)
    }
  })

  it('reads back what it wrote, for any type and shape', () => {
    const shapes = fc.array(fc.nat(5), { maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...npyTypes), shapes, fc.infiniteStream(fc.nat(255)), (dtype, shape, stream) => {
        const length = shape.reduce((a, b) => a * b, 1)
        const data = new dtypes[dtype](length)
        toBytes(data).forEach((_, i, bytes) => (bytes[i] = Number(stream.next().value)))
        const array = openNpy(fromMemory(encodeNpy({ dtype, shape, data }))).arrays[0].read()
        expect(array.dtype).toBe(dtype)
        expect(array.shape).toEqual(shape)
        expect(Buffer.from(toBytes(array.data)).equals(toBytes(data))).toBe(true)
      }),
    )
  })

  it('has no bfloat16', () => expect(messageOf(() => npyHeader('bfloat16', [2]))).toContain('type of NumPy'))
})

describe('damaged files', () => {
  const header = (text: string, data = 8) => {
    const bytes = Buffer.alloc(10 + text.length + data)
    bytes.write('\x93NUMPY\x01\x00', 'latin1')
    bytes.writeUInt16LE(text.length, 8)
    bytes.write(text, 10)
    return bytes
  }
  it.each([
    ['too large a shape', "{'descr': '<f4', 'fortran_order': False, 'shape': (900000000000,)}", 'shape'],
    ['a product beyond 2^53', "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 'shape'],
    [
      'a product hidden by a zero',
      "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9007199254740991, 9)}",
      'shape',
    ],
    ['a negative axis', "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 'shape'],
    ['too small a shape', "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 'shape'],
    ['a key twice', "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", 'header'],
    ['a missing key', "{'descr': '<f4', 'shape': (2,)}", 'header'],
    ['code', "__import__('os').system('x')", 'header'],
    ['fortran_order 2', "{'descr': '<f4', 'fortran_order': 2, 'shape': (2,)}", 'fortran_order'],
    ['a name of Object', "{'descr': '<f3', 'fortran_order': False, 'shape': (2,)}", 'descr'],
  ])('%s', (_, text, field) => {
    expect(messageOf(() => openNpy(fromMemory(header(text))))).toMatch(`MindEyeError: memory, ${field}: expected`)
  })

  it('names a header longer than the file, a wrong version and a wrong magic', () => {
    const good = fixtureBytes('npy_v2.npy')
    const with_ = (offset: number, ...bytes: number[]) => {
      const copy = Uint8Array.from(good)
      copy.set(bytes, offset)
      return messageOf(() => openNpy(fromMemory(copy)))
    }
    expect(with_(8, 255, 255, 255, 255)).toContain('header length')
    expect(with_(8, 255, 255, 1, 0)).toContain('header: expected')
    expect(with_(6, 9)).toContain('version')
    expect(with_(0, 0)).toContain('magic')
    expect(messageOf(() => openNpy(fromMemory(good.subarray(0, 5))))).toContain('MindEyeError')
  })
})
