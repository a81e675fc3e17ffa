import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import type { ArrayEntry, NdArray } from '../../src-main/formats/array.ts'
import { openHdf5, writeHdf5 } from '../../src-main/formats/hdf5.ts'
import type { MatlabFile, MatlabValue } from '../../src-main/formats/matlab.ts'
import { openMatlab73 } from '../../src-main/formats/matlab73.ts'
import { readRowList } from '../../src-main/formats/rows.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/formats/${name}`, import.meta.url))
const numbers = ({ data }: NdArray) => Array.from(data, Number)
const range = (n: number, from = 0) => Array.from({ length: n }, (_, i) => i + from)

let file: MatlabFile
const value = (name: string): MatlabValue => {
  const variable = file.variables.find((v) => v.name === name)
  if (!variable) throw new Error(`no variable ${name}`)
  return variable.value()
}
/** Numbers of a 1 x 1 value. */
const scalars = (values: MatlabValue[]) => values.map((v) => (v.kind === 'numeric' ? Number(v.data[0]) : v.kind))

describe('a file written by hdf5storage', () => {
  beforeAll(async () => void (file = await openMatlab73(fixture('v73.mat'))))
  afterAll(() => file.close())
  const entry = (name: string) => file.arrays.find((a) => a.name === name) as ArrayEntry

  test('numbers index as in MATLAB', () => {
    expect(value('betas')).toMatchObject({ kind: 'numeric', dtype: 'float64', shape: [3, 4] })
    expect(numbers(entry('betas').read())).toEqual(range(12))
    expect(numbers(entry('betas').readRows(1, 3))).toEqual(range(8, 4))
    expect(entry('counts').readRows(1, 2)).toMatchObject({ dtype: 'int16', shape: [1, 3, 4] })
    expect(numbers(entry('counts').readRows(1, 2))).toEqual(range(12, 12))
    expect(value('mask')).toMatchObject({ kind: 'numeric', dtype: 'bool', shape: [1, 3], data: Uint8Array.of(1, 0, 1) })
    expect(value('half')).toMatchObject({ kind: 'numeric', dtype: 'float32', shape: [1, 6] })
  })

  test('classes, and which of them are arrays', () => {
    const classes = Object.fromEntries(file.variables.map((v) => [v.name, v.className]))
    expect(classes).toEqual({
      ...{ betas: 'double', counts: 'int16', half: 'single', mask: 'logical', empty: 'double' },
      ...{ name: 'char', unicode: 'char', blank: 'char', files: 'cell', mixed: 'cell', info: 'struct' },
    })
    expect(file.arrays.map((a) => a.name).toSorted()).toEqual(['betas', 'counts', 'empty', 'half', 'mask'])
  })

  test('text, cells, structs and empty values', () => {
    expect(value('name')).toEqual({ kind: 'char', shape: [1, 9], rows: ['subject 1'] })
    expect(value('unicode')).toMatchObject({ rows: ['grün'] })
    expect(value('blank')).toEqual({ kind: 'char', shape: [1, 0], rows: [] })
    expect(value('empty')).toEqual({ kind: 'numeric', dtype: 'float64', shape: [0, 3], data: new Float64Array(0) })
    const files = value('files')
    expect(files).toMatchObject({ kind: 'cell', shape: [1, 3] })
    expect(files.kind === 'cell' && files.items.flatMap((v) => (v.kind === 'char' ? v.rows : []))).toEqual([
      'a.png',
      'bb.png',
      'c.png',
    ])
    const info = value('info')
    if (info.kind !== 'struct') throw new Error(info.kind)
    expect([...info.fields.keys()].toSorted()).toEqual(['site', 'sizes', 'tr'])
    expect(info.fields.get('tr')).toMatchObject([{ data: Float64Array.of(1.6) }])
    expect(info.fields.get('site')).toMatchObject([{ rows: ['here'] }])
    expect(info.fields.get('sizes')).toMatchObject([{ dtype: 'uint8', shape: [1, 3] }])
  })
})

describe('a file made by hand after MATLAB', () => {
  beforeAll(async () => void (file = await openMatlab73(fixture('v73hand.mat'))))
  afterAll(() => file.close())

  test('an array of structs, text in rows, nested cells, structs in cells', () => {
    const runs = value('runs')
    if (runs.kind !== 'struct') throw new Error(runs.kind)
    expect(runs.shape).toEqual([2, 3])
    expect(scalars(runs.fields.get('id') ?? [])).toEqual([0, 1, 2, 10, 11, 12])
    expect(value('lines')).toEqual({ kind: 'char', shape: [2, 3], rows: ['abc', 'xyz'] })
    const nested = value('nested')
    if (nested.kind !== 'cell' || nested.items[0].kind !== 'cell') throw new Error(nested.kind)
    expect(nested.shape).toEqual([2, 1])
    expect(scalars(nested.items[0].items)).toEqual([7, 8])
    expect(scalars([nested.items[1]])).toEqual([9])
    const structs = value('structs')
    if (structs.kind !== 'cell' || structs.items[0].kind !== 'struct') throw new Error(structs.kind)
    expect(scalars(structs.items[0].fields.get('x') ?? [])).toEqual([5])
  })

  test.each([
    ['complex', 'double data'],
    ['sparse', 'a sparse matrix'],
    ['endless', 'more'],
  ])('%s is refused by name', (name, found) => {
    let error: unknown
    try {
      value(name)
    } catch (e) {
      error = e
    }
    expect(error).toBeInstanceOf(MindEyeError)
    expect((error as MindEyeError).parts).toMatchObject({ where: 'v73hand.mat', found })
  })
})

test('readRowList gives any rows in any order and reads neighbours together', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rows-'))
  const path = join(folder, 'rows.h5')
  writeHdf5(path, { x: { dtype: 'float16', shape: [50, 3], data: Float16Array.from(range(150)) } })
  const source = await openHdf5(path)
  const asked: [number, number][] = []
  const entry = source.array('x')
  const counted = { ...entry, readRows: (a: number, b: number) => (asked.push([a, b]), entry.readRows(a, b)) }
  const rows = [7, 3, 4, 49, 4, 5, 0]
  const found = readRowList(counted, rows)
  source.close()
  rmSync(folder, { recursive: true })
  expect(found).toMatchObject({ dtype: 'float16', shape: [7, 3] })
  expect(numbers(found)).toEqual(rows.flatMap((row) => range(3, row * 3)))
  expect(asked).toEqual([[0, 1], [3, 6], [7, 8], [49, 50]]) // prettier-ignore
  expect(readRowList(entry, []).shape).toEqual([0, 3])
})
