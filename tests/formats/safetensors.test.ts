import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dtypes } from '../../src-main/formats/array.ts'
import type { DType, NdArray } from '../../src-main/formats/array.ts'
import { toBytes } from '../../src-main/formats/elements.ts'
import { encodeSafetensors, openSafetensors, safetensorsHeader } from '../../src-main/formats/safetensors.ts'
import { fixture, fromMemory, messageOf, numbers, ruleValues } from './values.ts'

/** A file with this text as header and `dataLength` bytes of data. */
function file(header: string, dataLength: number, declared = BigInt(Buffer.byteLength(header))): Uint8Array {
  const bytes = Buffer.alloc(8 + Buffer.byteLength(header) + dataLength)
  bytes.writeBigUInt64LE(declared)
  bytes.write(header, 8)
  return bytes
}
const tensor = (dtype: string, shape: number[], begin: number, end: number) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] })

describe('a file of the official writer', () => {
  const opened = openSafetensors(fixture('all.safetensors'))

  it('has its tensors and metadata', () => {
    expect(opened.metadata).toEqual({ note: 'ünïcode' })
    const types = (Object.keys(dtypes) as DType[]).map((type) => `t.${type}`)
    expect(opened.arrays.map(({ name }) => name).sort()).toEqual([...types, 'scalar', 'empty'].sort())
  })

  it.each(opened.arrays)('$name', (entry) => {
    const shape = entry.name === 'scalar' ? [] : entry.name === 'empty' ? [0, 4] : [3, 5]
    expect(entry.shape).toEqual(shape)
    if (entry.name.startsWith('t.')) expect(entry.name).toBe(`t.${entry.dtype}`)
    const all = ruleValues(entry.dtype, shape)
    expect(numbers(entry.read())).toEqual(all)
    if (entry.name.startsWith('t.')) expect(numbers(entry.readRows(1, 3))).toEqual(all.slice(5))
  })
})

describe('round trip', () => {
  const arrays = fc
    .tuple(fc.constantFrom(...(Object.keys(dtypes) as DType[])), fc.array(fc.nat(4), { maxLength: 3 }), fc.nat(255))
    .map(([dtype, shape, byte]): NdArray => {
      const data = new dtypes[dtype](shape.reduce((a, b) => a * b, 1))
      toBytes(data).fill(byte)
      return { dtype, shape, data }
    })
  it('keeps names, types, shapes, bytes and metadata', () => {
    const names = fc.string().filter((name) => name !== '__metadata__' && name !== '__proto__')
    fc.assert(
      fc.property(fc.dictionary(names, arrays), fc.dictionary(names, fc.string()), (tensors, metadata) => {
        const opened = openSafetensors(fromMemory(encodeSafetensors(tensors, metadata)))
        expect(opened.metadata).toEqual({ ...metadata })
        expect(opened.arrays.length).toBe(Object.keys(tensors).length)
        for (const entry of opened.arrays) {
          const { dtype, shape, data } = tensors[entry.name]
          expect([entry.dtype, entry.shape]).toEqual([dtype, shape])
          expect(Buffer.from(toBytes(entry.read().data)).equals(toBytes(data))).toBe(true)
        }
      }),
    )
  })

  it('keeps the order of a streamed header and aligns the data', () => {
    const header = safetensorsHeader([
      { name: '10', dtype: 'float32', shape: [2] },
      { name: '2', dtype: 'bfloat16', shape: [3] },
    ])
    expect(header.length % 8).toBe(0)
    const opened = openSafetensors(fromMemory(Buffer.concat([header, Buffer.alloc(14)])))
    expect(opened.arrays.map(({ name }) => name)).toEqual(['10', '2'])
  })

  it('refuses to write a name twice or the name of the metadata', () => {
    const one = { name: 'a', dtype: 'uint8', shape: [1] } as const
    expect(messageOf(() => safetensorsHeader([one, one]))).toContain('different names')
    expect(messageOf(() => safetensorsHeader([{ ...one, name: '__metadata__' }]))).toContain('different names')
  })
})

/** What a hostile file can try. Each must end in a typed error that names the field. */
describe('attacks', () => {
  const f32 = tensor('F32', [2], 0, 8)
  const bloat = (n: number) =>
    `{${Array.from({ length: n }, (_, i) => `"t${i}":${tensor('U8', [0], 0, 0)}`).join(',')}}`
  const attacks: [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(), 'header length'],
    ['a header length beyond the file', file('{}', 0, 1000n), 'header'],
    ['a header length beyond the cap', file('{}', 0, 100_000_001n), 'header length'],
    ['a header length of 2^64 - 1', file('{}', 0, 2n ** 64n - 1n), 'header length'],
    ['a header length of 0', file('', 0), 'header length'],
    ['no JSON', file('{"a":', 0), 'header'],
    ['a header that is an array', file('[]', 0), 'header'],
    ['a header that starts with a space', file(` {"a":${f32}}`, 8), 'header'],
    ['a header in broken UTF-8', Buffer.from(file('{"a__":0}', 0)).fill(0xff, 11, 13), 'header'],
    ['a byte order mark', file('\ufeff{}', 0), 'header'],
    ['deep nesting', file(`{"a":${'['.repeat(100_000)}`, 0), 'header'],
    ['unbalanced brackets', file(`{"a":${']'.repeat(1000)}${'['.repeat(1000)}}`, 0), 'header'],
    ['100,000 entries', file(bloat(100_000), 0), 'header'],
    ['a million values', file(`{"a":{"dtype":"U8","shape":[${'0,'.repeat(1_100_000)}0]}}`, 0), 'header'],
    ['the same name twice', file(`{"a":${f32},"a":${tensor('I32', [2], 0, 8)}}`, 8), 'header'],
    ['the same name twice, once escaped', file(`{"a":${f32},"\\u0061":${f32}}`, 8), 'header'],
    ['an unknown dtype', file(`{"a":${tensor('F8_E4M3', [8], 0, 8)}}`, 8), 'a dtype'],
    ['a dtype from the prototype', file(`{"a":${tensor('constructor', [8], 0, 8)}}`, 8), 'a dtype'],
    ['an unknown field', file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}`, 0), 'a'],
    ['a field without a name', file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"":1}}`, 0), 'a'],
    ['a negative shape', file(`{"a":${tensor('F32', [-2], 0, 8)}}`, 8), 'a shape'],
    ['a fractional shape', file(`{"a":${tensor('F32', [0.5, 4], 0, 8)}}`, 8), 'a shape'],
    ['a shape beyond 2^53', file(`{"a":${tensor('U8', [1e300], 0, 8)}}`, 8), 'a shape'],
    ['a shape whose product wraps in 64 bits', file(`{"a":${tensor('U8', [2 ** 32, 2 ** 32], 0, 0)}}`, 0), 'a shape'],
    ['a zero that hides a product', file(`{"a":${tensor('U8', [0, 2 ** 50, 2 ** 50], 0, 0)}}`, 0), 'a shape'],
    ['too many axes', file(`{"a":${tensor('U8', new Array<number>(65).fill(1), 0, 1)}}`, 1), 'a shape'],
    ['offsets that disagree with the shape', file(`{"a":${tensor('F32', [3], 0, 8)}}`, 8), 'a data_offsets'],
    ['offsets backwards', file(`{"a":${tensor('F32', [2], 8, 0)}}`, 8), 'a data_offsets'],
    ['offsets beyond the file', file(`{"a":${tensor('F32', [2], 8, 16)}}`, 8), 'a data_offsets'],
    ['a tensor larger than the file', file(`{"a":${tensor('F32', [2 ** 40], 0, 2 ** 42)}}`, 8), 'data'],
    ['overlapping tensors', file(`{"a":${f32},"b":${tensor('F32', [2], 4, 12)}}`, 12), 'b data_offsets'],
    ['a tensor shown twice', file(`{"a":${f32},"b":${f32}}`, 8), 'b data_offsets'],
    ['a hole between tensors', file(`{"a":${f32},"b":${tensor('F32', [1], 12, 16)}}`, 16), 'b data_offsets'],
    ['data after the last tensor', file(`{"a":${f32}}`, 9), 'data'],
    ['a file cut short', file(`{"a":${f32}}`, 7), 'data'],
    ['metadata that is no text', file(`{"__metadata__":{"a":1},"a":${f32}}`, 8), '__metadata__'],
    ['metadata that is an array', file(`{"__metadata__":["a"],"a":${f32}}`, 8), '__metadata__'],
    ['a tensor that is null', file(`{"a":null}`, 0), 'a'],
  ]
  it.each(attacks)('%s', (_, bytes, field) => {
    expect(messageOf(() => openSafetensors(fromMemory(bytes)))).toMatch(`MindEyeError: memory, ${field}: expected`)
  })

  it('a name of the prototype is a name like any other', () => {
    const opened = openSafetensors(fromMemory(file(`{"__proto__":${f32}}`, 8)))
    expect(opened.arrays.map(({ name, shape }) => [name, shape])).toEqual([['__proto__', [2]]])
    expect(({} as Record<string, unknown>).dtype).toBeUndefined()
  })
})
