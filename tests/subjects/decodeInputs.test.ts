import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { NdArray } from '../../src-main/formats/array.ts'
import { writeHdf5 } from '../../src-main/formats/hdf5.ts'
import { encodeMatlab5 } from '../../src-main/formats/matlab5.ts'
import { encodeNpy, openNpy } from '../../src-main/formats/npy.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { openFile } from '../../src-main/formats/source.ts'
import { encodeTable } from '../../src-main/formats/table.ts'
import { writeNewTrials } from '../../src-main/subjects/decodeInputs.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'decode-inputs-'))
afterAll(() => fs.rmSync(base, { recursive: true }))

let folder: string
beforeEach(() => {
  folder = fs.mkdtempSync(join(base, 'a-'))
})

const quiet = { signal: new AbortController().signal, progress: () => {} }

/** 3 trials of 4 voxels. */
const trials: NdArray = { dtype: 'float64', shape: [3, 4], data: Float64Array.from({ length: 12 }, (_, i) => i / 2) }

function put(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  fs.writeFileSync(path, bytes)
  return path
}

function readBack(path: string): { shape: number[]; values: number[] } {
  const file = openNpy(openFile(path))
  const { shape, data } = file.arrays[0].read()
  file.close()
  return { shape, values: Array.from(data, Number) }
}

async function copied(paths: string[], map: Record<string, string> = {}) {
  const file = join(folder, 'out', 'voxels.npy')
  fs.mkdirSync(join(folder, 'out'), { recursive: true })
  const found = await writeNewTrials({ paths, map, voxelCount: 4, file }, quiet)
  return { ...found, ...readBack(file) }
}

describe('new trials come from', () => {
  const whole = { count: 3, notFinite: 0, shape: [3, 4], values: Array.from(trials.data, Number) }
  const columns = { v1: [0, 2, 4], v2: [0.5, 2.5, 4.5], v3: [1, 3, 5], v4: [1.5, 3.5, 5.5] }

  test.each([
    ['.npy', () => put('x.npy', encodeNpy(trials))],
    ['.mat', () => put('x.mat', encodeMatlab5({ betas: trials }))],
    ['.safetensors', () => put('x.safetensors', encodeSafetensors({ betas: trials }))],
    ['.csv', () => put('x.csv', encodeTable(columns, ','))],
    ['.tsv', () => put('x.tsv', encodeTable(columns))],
  ])('%s', async (_, make) => {
    expect(await copied([make()])).toMatchObject(whole)
  })

  test('HDF5', async () => {
    const path = join(folder, 'x.h5')
    writeHdf5(path, { betas: trials })
    expect(await copied([path])).toMatchObject({ ...whole, source: 'betas of x.h5' })
  })

  test('several files, one below the other, and a vector as one trial', async () => {
    const one = put('one.npy', encodeNpy({ dtype: 'float32', shape: [4], data: Float32Array.of(9, NaN, 9, Infinity) }))
    const found = await copied([put('x.npy', encodeNpy(trials)), one])
    expect(found).toMatchObject({ count: 4, notFinite: 2, shape: [4, 4], source: 'x of x.npy, one of one.npy' })
    expect(found.values.slice(11)).toEqual([5.5, 9, NaN, 9, Infinity])
  })

  test('the mapped one of several', async () => {
    const path = put(
      'x.mat',
      encodeMatlab5({ a: trials, b: { ...trials, data: Float64Array.from([...trials.data].map(Number), (x) => -x) } }),
    )
    await expect(copied([path])).rejects.toThrow(/found a \[3,4\], b \[3,4\]. Say which .* --map voxels=NAME/)
    expect((await copied([path], { voxels: 'b' })).values[11]).toBe(-5.5)
  })
})

describe('refused in words', () => {
  test.each([
    ['another number of voxels', { ...trials, shape: [2, 6] }, /\(trials, 4\).*found x \[2,6\].*its own subject/],
    ['voxels as rows', { ...trials, shape: [4, 3] }, /found x \[4,3\].*Transpose it/],
    ['no trials', { ...trials, shape: [0, 4], data: new Float64Array(0) }, /at least one trial, found none/],
  ])('%s', async (_, array, words) => {
    await expect(copied([put('x.npy', encodeNpy(array))])).rejects.toThrow(words)
  })

  test('a table whose first trial would be taken for its header', async () => {
    await expect(copied([put('x.csv', Buffer.from('0.5,1.5,2.5,3.5\n1,2,3,4\n'))])).rejects.toThrow(
      /first line: expected a name for each column, found numbers: 0.5, 1.5, 2.5/,
    )
    const numbered = await copied([put('y.csv', Buffer.from('0,1,2,3\n1,2,3,4\n'))])
    expect(numbered.values).toEqual([1, 2, 3, 4])
  })
})
