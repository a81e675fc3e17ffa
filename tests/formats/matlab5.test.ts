import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dtypes } from '../../src-main/formats/array.ts'
import type { DType, NdArray } from '../../src-main/formats/array.ts'
import { toBytes } from '../../src-main/formats/elements.ts'
import { encodeMatlab5, openMatlab5 } from '../../src-main/formats/matlab5.ts'
import type { MatlabNumeric, MatlabValue } from '../../src-main/formats/matlab.ts'
import { fixture, fixtureBytes, fromMemory, messageOf, numbers, ruleValues } from './values.ts'

const written: [string, string, DType, number[]][] = [
  ['i1', 'int8', 'int8', [3, 4]],
  ['u1', 'uint8', 'uint8', [3, 4]],
  ['i2', 'int16', 'int16', [3, 4]],
  ['u2', 'uint16', 'uint16', [3, 4]],
  ['i4', 'int32', 'int32', [3, 4]],
  ['u4', 'uint32', 'uint32', [3, 4]],
  ['i8', 'int64', 'int64', [3, 4]],
  ['u8', 'uint64', 'uint64', [3, 4]],
  ['f4', 'single', 'float32', [3, 4]],
  ['f8', 'double', 'float64', [3, 4]],
  ['deep', 'double', 'float64', [2, 3, 4]],
  ['logical', 'logical', 'bool', [2, 3]],
  ['empty', 'double', 'float64', [0, 3]],
]
const text = (value: MatlabValue) => (value.kind === 'char' ? value.rows : value.kind)
const array = (value: MatlabValue) =>
  value.kind === 'numeric' ? [value.dtype, value.shape, numbers(value)] : value.kind

describe.each(['plain', 'compressed'])('what SciPy writes, %s', (way) => {
  const file = openMatlab5(fixture(`mat5_${way}.mat`))
  const value = (name: string) => {
    const variable = file.variables.find((v) => v.name === name)
    if (!variable) throw new Error(`no ${name}`)
    return variable.value()
  }

  it.each(written)('%s', (name, className, dtype, shape) => {
    const all = ruleValues(dtype, shape)
    const variable = file.variables.find((v) => v.name === name)
    expect([variable?.className, variable?.shape]).toEqual([className, shape])
    expect(array(value(name))).toEqual([dtype, shape, all])
    const entry = file.arrays.find((a) => a.name === name)
    expect([entry?.dtype, entry?.shape]).toEqual([dtype, shape])
    const width = all.length / (shape[0] || 1)
    for (let start = 0; start <= shape[0]; start++)
      expect(numbers(entry?.readRows(start, shape[0]) as NdArray)).toEqual(all.slice(start * width))
  })

  it('lists numbers and logicals as arrays and everything as variables', () => {
    expect(file.arrays.map(({ name }) => name).sort()).toEqual(written.map(([name]) => name).sort())
    expect(file.variables.length).toBe(written.length + 6)
  })

  it('reads text, also of several rows and outside ASCII', () => {
    expect(text(value('text'))).toEqual(['some text'])
    expect(text(value('unicode'))).toEqual(['Grüße, 世界'])
    expect(text(value('lines'))).toEqual(['one  ', 'three'])
  })

  it('reads cells in C order', () => {
    const cell = value('cell')
    if (cell.kind !== 'cell') throw new Error(cell.kind)
    expect(cell.shape).toEqual([2, 2])
    expect(array(cell.items[0])).toEqual(['float64', [1, 1], [1.5]])
    expect(text(cell.items[1])).toEqual(['two'])
    expect(array(cell.items[2])).toEqual(['float64', [0, 0], []])
  })

  it('reads nested structs and struct arrays', () => {
    const nested = value('nested')
    const records = value('records')
    if (nested.kind !== 'struct' || records.kind !== 'struct') throw new Error('no structs')
    expect([...nested.fields.keys()]).toEqual(['number', 'name', 'more'])
    const [more] = nested.fields.get('more') ?? []
    if (more.kind !== 'struct') throw new Error(more.kind)
    expect(array((more.fields.get('list') ?? [])[0])).toEqual(['uint8', [1, 3], [0, 7, 14]])
    expect(records.shape).toEqual([2, 2])
    expect(records.fields.get('x')?.map((x) => numbers(x as MatlabNumeric)[0])).toEqual([1, 2, 3, 4])
    expect(records.fields.get('label')?.map(text)).toEqual([['a'], ['b'], ['c'], ['d']])
  })
})

describe('classes that are not read', () => {
  const file = openMatlab5(fixture('mat5_refused.mat'))
  it('are listed and refused by name, and the others stay readable', () => {
    expect(file.arrays.map(({ name }) => name)).toEqual(['ok'])
    const message = (name: string) => messageOf(() => file.variables.find((v) => v.name === name)?.value())
    expect(message('z')).toMatch('MindEyeError: mat5_refused.mat, z at')
    expect(message('z')).toContain('found complex numbers')
    expect(message('s')).toContain('found sparse data')
    expect(message('ok')).toBe('')
  })

  it('function handles and objects', () => {
    for (const [code, word] of [
      [16, 'function handle'],
      [3, 'object'],
    ] as const) {
      const bytes = fixtureBytes('mat5_refused.mat')
      bytes[128 + 8 + 8] = code // class of the first variable
      bytes[128 + 8 + 9] = 0
      const opened = openMatlab5(fromMemory(bytes))
      expect(messageOf(() => opened.variables[0].value())).toContain(`found ${word} data`)
    }
  })
})

/** A file of one 2 x 2 double `ab`, stored as bytes, with small elements, in either byte order. */
function handmade(little: boolean, change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(128 + 8 + 48)
  const view = new DataView(bytes.buffer)
  const words = (position: number, ...values: number[]) =>
    values.forEach((value, i) => view.setUint32(position + 4 * i, value, little))
  view.setUint16(124, 0x100, little)
  view.setUint16(126, 0x4d49, little)
  words(128, 14, 48)
  words(136, 6, 8, 6, 0) // flags: double
  words(152, 5, 8, 2, 2) // dimensions
  words(168, (2 << 16) | 1) // a name of two bytes inside the tag
  bytes.set([0x61, 0x62], 172)
  words(176, (4 << 16) | 2) // four numbers of one byte
  bytes.set([1, 2, 3, 4], 180)
  change(view)
  return bytes
}

describe('byte order, small elements and small storage types', () => {
  it.each([true, false])('little endian: %s', (little) => {
    const file = openMatlab5(fromMemory(handmade(little)))
    expect(file.variables.map(({ name, className }) => [name, className])).toEqual([['ab', 'double']])
    const array = file.arrays[0].read()
    expect([array.dtype, array.shape, numbers(array)]).toEqual(['float64', [2, 2], [1, 3, 2, 4]])
    expect(numbers(file.arrays[0].readRows(1, 2))).toEqual([2, 4])
  })

  it('an integer class refuses values that it cannot hold', () => {
    const file = openMatlab5(
      fromMemory(
        handmade(true, (view) => {
          view.setUint8(144, 8) // int8
          view.setUint8(183, 200)
        }),
      ),
    )
    expect(messageOf(() => file.arrays[0].read())).toContain('ab data: expected values of type int8, found 200')
  })
})

describe('encodeMatlab5', () => {
  const types = (Object.keys(dtypes) as DType[]).filter((dtype) => !/float16/.test(dtype))
  it('reads back numbers of any type and shape', () => {
    const shapes = fc.array(fc.nat(4), { minLength: 2, maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...types), shapes, fc.infiniteStream(fc.nat(255)), (dtype, shape, stream) => {
        const data = new dtypes[dtype](shape.reduce((a, b) => a * b, 1))
        toBytes(data).forEach((_, i, bytes) => (bytes[i] = Number(stream.next().value)))
        const read = openMatlab5(fromMemory(encodeMatlab5({ x: { dtype, shape, data } }))).arrays[0].read()
        expect([read.dtype, read.shape]).toEqual([dtype, shape])
        expect(numbers(read)).toEqual(numbers({ dtype, shape, data })) // not the bytes: reordering may change a NaN's
      }),
    )
  })

  it('reads back text and nested structs; one axis becomes a row', () => {
    const list: NdArray = { dtype: 'int32', shape: [3], data: Int32Array.of(3, 1, 2) }
    const [v, s] = openMatlab5(
      fromMemory(encodeMatlab5({ v: list, s: { label: 'hé', in: { list }, none: '' } })),
    ).variables
    expect(array(v.value())).toEqual(['int32', [1, 3], [3, 1, 2]])
    const struct = s.value()
    if (struct.kind !== 'struct') throw new Error(struct.kind)
    expect((struct.fields.get('label') ?? []).map(text)).toEqual([['hé']])
    expect((struct.fields.get('none') ?? []).map(text)).toEqual([[]])
    const [inner] = struct.fields.get('in') ?? []
    if (inner.kind !== 'struct') throw new Error(inner.kind)
    expect((inner.fields.get('list') ?? []).map(array)).toEqual([['int32', [1, 3], [3, 1, 2]]])
  })

  it('refuses what MATLAB lacks', () => {
    const half: NdArray = { dtype: 'float16', shape: [1], data: new Float16Array(1) }
    expect(messageOf(() => encodeMatlab5({ half }))).toContain('a type of MATLAB, found float16')
    expect(messageOf(() => encodeMatlab5({ '1st': 'x' }))).toContain('a letter first, found 1st')
  })
})

describe('damaged files', () => {
  const cases: [string, (view: DataView) => void, string][] = [
    ['a variable longer than the file', (v) => v.setUint32(132, 2 ** 31, true), 'element at 128: expected at most 48'],
    ['an unknown element', (v) => v.setUint32(128, 99, true), 'element at 128: expected a known data type'],
    ['a number where a variable belongs', (v) => v.setUint32(128, 9, true), 'expected a variable, found float64 data'],
    ['an unknown class', (v) => v.setUint8(144, 99), 'expected a known class, found class 99'],
    ['more elements than bytes', (v) => v.setUint32(160, 2 ** 30, true), 'ab data: expected 2147483648 bytes'],
    ['a negative dimension', (v) => v.setInt32(160, -1, true), 'expected two or more countable sizes'],
    ['too long a small element', (v) => v.setUint16(178, 5, true), 'at most 4 bytes in a small element'],
    ['another version', (v) => v.setUint16(124, 0x200, true), 'version: expected 0x100'],
    ['no byte order', (v) => v.setUint16(126, 0, true), 'byte order: expected IM or MI'],
    ['no name', (v) => v.setBigUint64(168, 1n, true), 'name: expected a name'],
  ]
  it.each(cases)('%s', (_, change, message) => {
    const error = messageOf(() => openMatlab5(fromMemory(handmade(true, change))))
    expect(error).toMatch('MindEyeError: memory, ')
    expect(error).toContain(message)
  })

  it('a compressed variable that declares more than its bytes can hold, or other than they do', () => {
    const good = fixtureBytes('mat5_compressed.mat')
    const cut = good.subarray(0, good.length - 10)
    expect(messageOf(() => openMatlab5(fromMemory(cut)))).toContain('The file is cut short or damaged')
    const damaged = Uint8Array.from(good)
    damaged[150] ^= 0xff
    const name = messageOf(() => openMatlab5(fromMemory(damaged)).variables.forEach((v) => v.value()))
    expect(name).toMatch('MindEyeError: memory, compressed variable at 128')
  })
})
