import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rowsThere, writeRows } from '../../src-main/formats/growingNpy.ts'
import { openNpy } from '../../src-main/formats/npy.ts'
import { openFile } from '../../src-main/formats/source.ts'

let folder: string
beforeEach(() => (folder = fs.mkdtempSync(join(tmpdir(), 'growing-'))))
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

test('rows come slice by slice; a torn one does not count; the last one gives the file its name', () => {
  const path = join(folder, 'x.npy')
  const rows = (first: number, n: number) => Float32Array.from({ length: n * 3 }, (_, i) => first * 3 + i)
  expect(rowsThere(path, 5)).toBe(0)
  writeRows(path, 'float32', [5, 3], 0, rows(0, 2))
  expect([rowsThere(path, 5), fs.existsSync(path)]).toEqual([2, false])
  // What a killed process leaves: half a row.
  fs.appendFileSync(`${path}.part`, Buffer.alloc(7))
  expect(rowsThere(path, 5)).toBe(2)
  expect(rowsThere(path, 6)).toBe(0) // of another gallery
  writeRows(path, 'float32', [5, 3], 2, rows(2, 3))
  expect([rowsThere(path, 5), fs.readdirSync(folder)]).toEqual([5, ['x.npy']])
  const file = openNpy(openFile(path))
  expect([...file.arrays[0].read().data]).toEqual(Array.from({ length: 15 }, (_, i) => i))
  file.close()
  writeRows(path, 'float32', [5, 3], 0, rows(9, 2)) // complete: nothing to write
  expect(fs.readdirSync(folder)).toEqual(['x.npy'])
})
