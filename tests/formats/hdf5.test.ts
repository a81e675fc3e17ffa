import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { createHdf5, openHdf5, writeHdf5, type Hdf5File } from '../../src-main/formats/hdf5.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/formats/${name}`, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hdf5-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function withFile<T>(path: string, use: (file: Hdf5File) => T | Promise<T>): Promise<T> {
  const file = await openHdf5(path)
  try {
    return await use(file)
  } finally {
    file.close()
  }
}
async function failure(run: () => unknown): Promise<MindEyeError['parts']> {
  const error = await Promise.resolve()
    .then(run)
    .then(
      () => undefined,
      (e: unknown) => e,
    )
  expect(error).toBeInstanceOf(MindEyeError)
  return (error as MindEyeError).parts
}
const numbers = ({ data }: NdArray) => Array.from(data, Number)
const range = (n: number, from = 0) => Array.from({ length: n }, (_, i) => i + from)

describe('a file written by h5py', () => {
  test.each([
    ['f2', 'float16'],
    ['f4', 'float32'],
    ['f8', 'float64'],
    ['i1', 'int8'],
    ['u1', 'uint8'],
    ['i2', 'int16'],
    ['u2', 'uint16'],
    ['i4', 'int32'],
    ['u4', 'uint32'],
    ['i8', 'int64'],
    ['u8', 'uint64'],
    ['big-i4', 'int32'],
    ['big-f8', 'float64'],
    ['big-f2', 'float16'],
  ])('%s is %s', (name, dtype) =>
    withFile(fixture('kinds.h5'), (file) => {
      const entry = file.array(`plain/${name}`)
      expect(entry).toMatchObject({ dtype, shape: [3, 4] })
      const from = dtype.startsWith('u') ? 0 : -5
      expect(entry.read()).toMatchObject({ dtype, shape: [3, 4] })
      expect(numbers(entry.read())).toEqual(range(12, from))
      expect(numbers(entry.readRows(1, 2))).toEqual(range(4, from + 4))
      expect(entry.readRows(3, 3)).toMatchObject({ shape: [0, 4] })
      expect(() => entry.readRows(2, 4)).toThrow(RangeError)
    }),
  )

  test('chunked and compressed, half precision too, in slices across chunks', () =>
    withFile(fixture('kinds.h5'), (file) => {
      for (const name of ['packed/half', 'packed/single']) {
        expect(numbers(file.array(name).read())).toEqual(range(600).map((v) => v / 8))
        expect(numbers(file.array(name).readRows(5, 23))).toEqual(range(180, 50).map((v) => v / 8))
      }
      expect(file.array('packed/cube').readRows(1, 4)).toMatchObject({ shape: [3, 4, 30] })
      expect(numbers(file.array('packed/cube').readRows(1, 4))).toEqual(range(360, 120))
    }))

  test('newest layout, unlimited rows', () =>
    withFile(fixture('latest.h5'), (file) => {
      for (const name of ['grown', 'flat']) expect(numbers(file.array(name).readRows(15, 18))).toEqual(range(30, 150))
    }))

  test('lists arrays, and names what is none', () =>
    withFile(fixture('kinds.h5'), (file) => {
      expect(file.arrays.map((a) => a.name)).toEqual(
        expect.arrayContaining(['bool', 'scalar', 'packed/half', 'plain/f2']),
      )
      expect(file.array('bool')).toMatchObject({ dtype: 'bool', shape: [3] })
      expect(numbers(file.array('bool').read())).toEqual([1, 0, 1])
      expect(file.array('scalar').read()).toMatchObject({ shape: [], data: Float32Array.of(2.5) })
      expect(Object.fromEntries(file.others.map((o) => [o.name, o.kind]))).toEqual({
        none: 'an empty dataset',
        text: 'text',
        texts: 'text',
        varying: 'text',
        records: 'compound records',
        references: 'object references',
        soft: 'a soft link',
        outside: 'a link to another file',
      })
      expect(file.objects.get('plain')).toBe('a group')
      expect(file.objects.get('plain/f2')).toBe('float16')
    }))

  test('refuses by name what is asked for as numbers and is none', () =>
    withFile(fixture('kinds.h5'), async (file) => {
      const cases = {
        records: 'compound records',
        text: 'text',
        outside: 'a link to another file',
        plain: 'a group',
        absent: 'nothing',
      }
      for (const [name, found] of Object.entries(cases))
        expect(await failure(() => file.array(name))).toMatchObject({ where: 'kinds.h5', field: name, found })
      expect(await failure(() => file.strings('bool'))).toMatchObject({ field: 'bool', found: 'bool' })
    }))

  test('text, references and attributes', () =>
    withFile(fixture('kinds.h5'), (file) => {
      expect(file.strings('text')).toEqual(['one text'])
      expect(file.strings('texts')).toEqual(['a', 'bc', ''])
      expect(file.strings('varying')).toEqual(['alpha', 'bêta'])
      expect(file.references('references')).toEqual(['bool', 'plain/f4'])
      expect(file.attributes('')).toEqual({ title: 'kinds', n: 3n, list: [1, 2.5], words: ['x', 'yz'] })
      expect(file.attributes('plain')).toEqual({})
    }))
})

describe('writing', () => {
  test('whole arrays come back', async () => {
    const path = join(folder, 'whole.h5')
    const arrays = {
      half: { dtype: 'float16', shape: [3, 4], data: Float16Array.from(range(12), (v) => v / 8) },
      images: { dtype: 'float32', shape: [2, 3, 2], data: Float32Array.from(range(12)) },
      ids: { dtype: 'int32', shape: [3], data: Int32Array.of(-1, 0, 72_999) },
      big: { dtype: 'uint64', shape: [1], data: BigUint64Array.of(2n ** 63n) },
      nothing: { dtype: 'uint8', shape: [0, 3], data: new Uint8Array(0) },
    } satisfies Record<string, NdArray>
    writeHdf5(path, arrays)
    await withFile(path, (file) => {
      for (const [name, array] of Object.entries(arrays)) expect(file.array(name).read()).toEqual(array)
      expect(file.arrays.length).toBe(5)
    })
  })

  test('rows in slices, two datasets in turn', async () => {
    const path = join(folder, 'slices.h5')
    const writer = createHdf5(path, [
      { name: 'betas', dtype: 'float16', shape: [20, 7] },
      { name: 'ids', dtype: 'int32', shape: [20] },
    ])
    for (let row = 0; row < 20; row += 5) {
      writer.append('betas', Float16Array.from(range(35, row * 7)))
      writer.append('ids', Int32Array.from(range(5, row)))
    }
    writer.close()
    await withFile(path, (file) => {
      expect(numbers(file.array('betas').read())).toEqual(range(140))
      expect(numbers(file.array('ids').readRows(3, 9))).toEqual(range(6, 3))
    })
  })

  test('an unfinished file is refused by everybody', async () => {
    const path = join(folder, 'unfinished.h5')
    const writer = createHdf5(path, [{ name: 'x', dtype: 'float32', shape: [4] }])
    writer.append('x', new Float32Array(3))
    expect(() => writer.append('x', new Float32Array(2))).toThrow('more values')
    expect(() => writer.append('x', new Int32Array(1))).toThrow('takes float32')
    expect(() => writer.close()).toThrow('12 of 16 bytes')
    expect((await failure(() => openHdf5(path))).field).toBe('signature')
  })
})

test('slices of a sparse 6.3 GB file, also beyond 4 GB, without loading it', async () => {
  const path = join(folder, 'sparse.h5')
  const head = readFileSync(fixture('sparse.h5head'))
  const [rows, voxels] = [200_000, 15_724]
  const row = (index: number) => Float16Array.from({ length: voxels }, (_, v) => (index + v) % 2048)
  const fd = openSync(path, 'w')
  writeSync(fd, head, 0, head.length, 0)
  for (const index of [0, 77, 150_000, 150_001, rows - 1]) {
    const bytes = new Uint8Array(row(index).buffer)
    writeSync(fd, bytes, 0, bytes.length, head.length + index * voxels * 2)
  }
  ftruncateSync(fd, head.length + rows * voxels * 2)
  closeSync(fd)
  await withFile(path, (file) => {
    const before = process.memoryUsage().rss
    const betas = file.array('betas')
    expect(betas.shape).toEqual([rows, voxels])
    for (const index of [0, 77, rows - 1]) expect(betas.readRows(index, index + 1).data).toEqual(row(index))
    // 94 MB in several pieces, with rows that were never written between
    const many = betas.readRows(148_000, 151_000)
    expect(many.data.subarray(2000 * voxels, 2001 * voxels)).toEqual(row(150_000))
    expect(many.data.subarray(2001 * voxels, 2002 * voxels)).toEqual(row(150_001))
    expect(many.data.subarray(2002 * voxels).every((v) => v === 0)).toBe(true)
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6)
  })
})

describe('damaged files', () => {
  const whole = readFileSync(fixture('kinds.h5'))
  const damagedFile = (bytes: Uint8Array) => {
    const path = join(folder, 'damaged.h5')
    writeFileSync(path, bytes)
    return path
  }
  test('cut files are refused, with the reason that the library gives', async () => {
    for (const length of [0, 7, 512, 600, whole.length >> 1, whole.length - 1]) {
      const parts = await failure(() => openHdf5(damagedFile(whole.subarray(0, length))))
      expect(parts.where).toBe('damaged.h5')
      if (length > 600) expect(parts.found).toContain('truncated file')
    }
  })

  test('an endless loop inside the library is stopped, and other files can be opened after it', async () => {
    const bytes = Buffer.from(whole)
    // the size of an object in the heap that holds texts; minus three sends the library round and round
    const size = bytes.indexOf('alpha') - 8
    expect(bytes.readBigUInt64LE(size)).toBe(5n)
    bytes.writeUInt32LE(0xfffffffd, size)
    const before = performance.now()
    await withFile(damagedFile(bytes), async (file) => {
      const parts = await failure(() => file.strings('text'))
      expect(parts).toMatchObject({ where: 'damaged.h5', field: 'text', found: 'none' })
      expect(await failure(() => file.array('scalar').read())).toMatchObject({
        kind: 'state',
        fix: 'Open the file again.',
      })
    })
    expect(performance.now() - before).toBeLessThan(10_000)
    await withFile(fixture('kinds.h5'), (file) => expect(file.strings('text')).toEqual(['one text']))
  })

  test('a dataset that claims more than the file holds is refused before any memory is taken', async () => {
    const path = join(folder, 'claims.h5')
    writeHdf5(path, { x: { dtype: 'float32', shape: [4, 4], data: new Float32Array(16) } })
    const bytes = readFileSync(path)
    const at = bytes.indexOf(Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]))
    expect(at).toBeGreaterThan(0)
    bytes.writeUInt32LE(1 << 30, at)
    expect((await failure(() => openHdf5(damagedFile(bytes)))).found).toContain('checksum')

    // the older layout has no checksums, so there only the size tells
    const head = readFileSync(fixture('sparse.h5head'))
    const parts = await failure(() => openHdf5(damagedFile(Buffer.concat([head, Buffer.alloc(1 << 20)]))))
    expect(parts.found).toContain('truncated file')
    head.writeBigUInt64LE(BigInt(head.length + (1 << 20)), 40)
    const claims = await failure(() => openHdf5(damagedFile(Buffer.concat([head, Buffer.alloc(1 << 20)]))))
    expect(claims.found).toContain('invalid dataset size')

    const chunked = await failure(() => openHdf5(fixture('claims.h5')))
    expect(chunked).toMatchObject({ field: 'x, shape', found: '[100000,1000] of 4 bytes each' })
  })
})
