import { readdirSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { recogniseFormat } from '../../src-main/formats/recognise.ts'
import { fixture, fixtureBytes, fixturePath, fromMemory } from './values.ts'

/** Formats by ending; what recognition goes by is the content alone. */
const endings: [RegExp, string][] = [
  [/^v73\.mat$/, 'matlab73'],
  [/^v73hand\.mat$/, 'hdf5'], // without MATLAB's own beginning
  [/\.mat$/, 'matlab5'],
  [/\.h5$/, 'hdf5'],
  [/\.nii(\.gz)?$/, 'nifti'],
  [/\.mg[hz]$/, 'mgh'],
  [/\.gii$/, 'gifti'],
  [/\.(white|inflated)$/, 'freesurfer-surface'],
  [/\.patch\.3d$/, 'freesurfer-patch'],
  [/\.curv$/, 'freesurfer-curvature'],
  [/\.annot$/, 'freesurfer-annotation'],
  [/\.label$/, 'freesurfer-label'],
  [/\.tif$/, 'tiff'],
  [/\.jpg$/, 'jpeg'],
  [/^torch_.*\.(pth|pt)$/, 'torch'],
  [/\.(npy|npz|safetensors|tar|png|webp)$/, ''],
]

it.each(
  readdirSync(fixturePath('.')).flatMap((name) =>
    endings.find(([ending]) => ending.test(name))?.[1] === undefined ? [] : [name],
  ),
)('%s', (name) => {
  const id = endings.find(([ending]) => ending.test(name))?.[1] || name.split('.').at(-1)
  const bytes = fixtureBytes(name)
  expect(recogniseFormat(fromMemory(bytes))).toBe(id)
  expect(recogniseFormat(fixture(name))).toBe(id)
})

it.each([
  ['a,b\n1,2\n', 'table'],
  ['onset\tduration\n', 'table'],
  ['voxel,'.repeat(1000), 'table'],
  ['{"a": 1,\n "b": 2}', undefined],
  ['<html, >\n', undefined],
  ['one line without an end', undefined],
  ['a,b\n\x00', undefined],
  ['', undefined],
  ['\x93NUM', undefined],
  ['PK\x03\x04', undefined],
])('%j is %s', (text, id) => expect(recogniseFormat(fromMemory(Buffer.from(text, 'latin1')))).toBe(id))

it('looks into gzip, and knows nothing of what is not there', () => {
  expect(recogniseFormat(fromMemory(gzipSync('a,b\n1,2\n')))).toBeUndefined()
  expect(recogniseFormat(fromMemory(gzipSync(fixtureBytes('big.nii'))))).toBe('nifti')
  expect(recogniseFormat(fromMemory(gzipSync(fixtureBytes('big.nii')).fill(0xff, 10)))).toBeUndefined()
})

it('never throws, whatever the first bytes of any fixture become', () => {
  for (const name of readdirSync(fixturePath('.')).filter((n) => !n.endsWith('.py'))) {
    const bytes = fixtureBytes(name)
    for (let length = 0; length < Math.min(600, bytes.length); length += 7)
      expect(() => recogniseFormat(fromMemory(bytes.subarray(0, length)))).not.toThrow()
  }
})
