import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readFreesurferCurvature } from '../../src-main/formats/freesurferCurvature.ts'
import { readAnnotation, readColours, readFreesurferLabel } from '../../src-main/formats/freesurferLabels.ts'
import { readFreesurferPatch, readFreesurferSurface } from '../../src-main/formats/freesurferSurface.ts'
import {
  encodeAnnotation,
  encodeFreesurferCurvature,
  encodeFreesurferPatch,
  encodeFreesurferSurface,
} from '../../src-main/formats/freesurferWrite.ts'
import { readGifti } from '../../src-main/formats/gifti.ts'
import { openMgh } from '../../src-main/formats/mgh.ts'
import { fixture, fixtureBytes, fixturePath, fromMemory, messageOf } from './values.ts'

interface Expected {
  'fs_lh.white': { vertices: number[]; faces: number[]; toScanner: number[] }
  'fs_lh.curv': number[]
  'fs_lh.V1.label': { vertices: number[]; values: number[] }
  'maps.shape.gii': number[][]
  [name: `${string}.annot`]: { labels: number[]; colours: number[]; names: string[] }
  [name: `${string}.surf.gii`]: { points: number[]; faces: number[] }
  [name: `${string}.mg${string}`]: { affine: number[] }
}
/** What nibabel reads. */
const expected = JSON.parse(readFileSync(fixturePath('surfaces.json'), 'utf8')) as Expected

const close = (found: ArrayLike<number>, wanted: number[], digits = 6): void => {
  expect(found.length).toBe(wanted.length)
  wanted.forEach((value, i) => expect(found[i]).toBeCloseTo(value, digits))
}
const replaced = (bytes: Uint8Array, from: string, to: string) => {
  const text = Buffer.from(bytes).toString('latin1')
  expect(text).toContain(from)
  return fromMemory(Buffer.from(text.replace(from, to), 'latin1'))
}

describe('FreeSurfer surfaces', () => {
  it('vertices, faces and the way to the scanner, as nibabel and the volume header have them', () => {
    const { vertices, faces, toScanner, comment } = readFreesurferSurface(fixture('fs_lh.white'))
    const want = expected['fs_lh.white']
    expect(comment).toBe('created by the fixtures')
    close(vertices, want.vertices)
    expect([...faces]).toEqual(want.faces)
    close(toScanner!, want.toScanner)
  })

  it('vertices in the scanner’s frame already are not moved', () => {
    const bytes = Buffer.from(fixtureBytes('fs_lh.inflated'))
    expect(readFreesurferSurface(fromMemory(bytes)).toScanner).toBeUndefined()
    const footer = Buffer.from([0, 0, 0, 2, 0, 0, 0, 1])
    const { toScanner } = readFreesurferSurface(fromMemory(Buffer.concat([bytes, footer])))
    expect(toScanner).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
  })

  it('what we write is read as it was, in the frame of the scanner', () => {
    const vertices = Float32Array.of(0, 0, 0, 1.5, 0, 0, 0, -2.5, 0, 0, 0, 4)
    const faces = Uint32Array.of(0, 1, 2, 0, 2, 3)
    const bytes = encodeFreesurferSurface({ comment: 'written by a test', vertices, faces })
    const read = readFreesurferSurface(fromMemory(bytes))
    expect(read).toMatchObject({ comment: 'written by a test', vertices, faces })
    close(read.toScanner!, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
  })

  it('refuses other meshes, counts beyond the file and vertices that do not exist', () => {
    const bytes = fixtureBytes('fs_lh.white')
    expect(messageOf(() => readFreesurferSurface(fixture('fs_lh.curv')))).toMatch(/magic.*found ffffff.*mris_convert/)
    const counts = Buffer.from(bytes).indexOf('\n\n') + 2
    for (const [offset, value, message] of [
      [counts, 2 ** 30, /counts: expected vertices and faces that fit/],
      [counts + 4, -1, /counts/],
      [counts + 8 + 6 * 12, 6, /face 0: expected vertices below 6, found 6/],
    ] as const) {
      const changed = Buffer.from(bytes)
      changed.writeInt32BE(value, offset)
      expect(messageOf(() => readFreesurferSurface(fromMemory(changed)))).toMatch(message)
    }
  })

  it('patches hold some vertices, those of the border told by their sign', () => {
    const { vertices, points } = readFreesurferPatch(fixture('fs_lh.flat.patch.3d'))
    expect([...vertices]).toEqual([0, 2, 4, 5])
    expect([...points]).toEqual([0, 0, 0, 20, -2, 0, 40, -4, 0, 50, -5, 0])
    const again = encodeFreesurferPatch({ vertices, points }, Uint8Array.of(0, 1, 0, 1))
    expect(Buffer.from(again).equals(fixtureBytes('fs_lh.flat.patch.3d'))).toBe(true)
    expect(messageOf(() => readFreesurferPatch(fromMemory(again.subarray(0, 40))))).toMatch(
      /at most 2 vertices, found 4/,
    )
  })
})

describe('numbers and names per vertex', () => {
  it('curvature of both formats', () => {
    for (const name of ['fs_lh.curv', 'fs_lh.old.curv'] as const)
      close(readFreesurferCurvature(fixture(name)), expected[name as 'fs_lh.curv'])
    const written = encodeFreesurferCurvature(readFreesurferCurvature(fixture('fs_lh.curv')), 8)
    expect(Buffer.from(written).equals(fixtureBytes('fs_lh.curv'))).toBe(true)
    const short = fixtureBytes('fs_lh.curv').subarray(0, 30)
    expect(messageOf(() => readFreesurferCurvature(fromMemory(short)))).toMatch(/vertices: expected 3.75.*found 6/)
  })

  it.each(['fs_lh.areas.annot', 'fs_lh.old.annot'] as const)('%s: labels with names and colours', (name) => {
    const { labels, table } = readAnnotation(fixture(name))
    const want = expected[name]
    expect([...labels]).toEqual(want.labels)
    expect(table.flatMap(({ colour }) => colour)).toEqual(want.colours)
    expect(table.map((label) => label.name)).toEqual(want.names)
    const again = readAnnotation(fromMemory(encodeAnnotation(labels, table, 'areas')))
    expect(again).toEqual({ labels, table })
  })

  it('an annotation without colours is refused, as its labels would have no names', () => {
    const bytes = fixtureBytes('fs_lh.areas.annot').subarray(0, 4 + 6 * 8)
    expect(messageOf(() => readAnnotation(fromMemory(bytes)))).toMatch(/colour table: expected .*found none/)
  })

  it('labels in text, and colour tables whose names hold spaces', () => {
    const { vertices, values } = readFreesurferLabel(fixture('fs_lh.V1.label'))
    expect([...vertices]).toEqual(expected['fs_lh.V1.label'].vertices)
    close(values, expected['fs_lh.V1.label'].values)
    expect(messageOf(() => readFreesurferLabel(replaced(fixtureBytes('fs_lh.V1.label'), '\n3\n', '\n9\n')))).toMatch(
      /count/,
    )
    expect(readColours(fixture('areas.ctab'))).toEqual([
      { index: 0, name: 'Unknown', colour: [25, 5, 25] },
      { index: 1, name: 'V1', colour: [220, 20, 60] },
      { index: 12, name: 'left  FFA-1'.replace(/\s+/, ' '), colour: [0, 128, 255] },
    ])
    expect(messageOf(() => readColours(replaced(fixtureBytes('areas.ctab'), '220', '256')))).toMatch(/line 3.*256/)
  })
})

describe('MGH volumes', () => {
  it.each([
    ['int16.mgh', 'int16'],
    ['float32.mgz', 'float32'],
  ] as const)('%s', (name, dtype) => {
    const file = openMgh(fixture(name))
    expect(file).toMatchObject({ dtype, shape: [3, 4, 5], frames: 2 })
    close(file.affine!, expected[name].affine, 4)
    const { data, shape } = file.readFrame(1)
    expect(shape).toEqual([3, 4, 5])
    for (let i = 0, at = 0; i < 3; i++)
      for (let j = 0; j < 4; j++) for (let k = 0; k < 5; k++) expect(data[at++]).toBe(i + 10 * j + 100 * k + 1000)
    file.close()
  })

  it('refuses sizes that the bytes do not hold, packed or not', () => {
    const bytes = Buffer.from(fixtureBytes('int16.mgh'))
    bytes.writeInt32BE(2 ** 20, 16)
    expect(messageOf(() => openMgh(fromMemory(bytes)))).toMatch(/dimensions and type: expected 125829120 bytes/)
    bytes.writeInt32BE(2 ** 28, 16)
    expect(messageOf(() => openMgh(fromMemory(gzipSync(bytes))))).toMatch(/compressed ones/)
    bytes.writeInt32BE(7, 20)
    expect(messageOf(() => openMgh(fromMemory(bytes)))).toMatch(/type: expected .*found code 7/)
  })
})

describe('GIFTI', () => {
  it.each(['ascii', 'base64', 'gzip', 'big'] as const)('%s.surf.gii', (encoding) => {
    const { arrays } = readGifti(fixture(`${encoding}.surf.gii`))
    const want = expected[`${encoding}.surf.gii`]
    expect(arrays.map(({ intent, dtype, shape }) => [intent, dtype, shape])).toEqual([
      ['POINTSET', 'float32', [6, 3]],
      ['TRIANGLE', 'int32', [8, 3]],
    ])
    close(arrays[0].data as Float32Array, want.points)
    expect([...(arrays[1].data as Int32Array)]).toEqual(want.faces)
    expect(arrays[0].metadata.get('AnatomicalStructurePrimary')).toBe('CortexLeft')
    expect(arrays[0].metadata.get('Note')).toBe('a < b & "c"')
    expect(arrays[0].dataSpace).toBe('NIFTI_XFORM_UNKNOWN')
  })

  it('maps with their names, and labels with colours', () => {
    const { arrays } = readGifti(fixture('maps.shape.gii'))
    arrays.forEach(({ data, metadata }, i) => {
      close(data as Float32Array, expected['maps.shape.gii'][i])
      expect(metadata.get('Name')).toBe(`map ${i + 1}`)
    })
    const areas = readGifti(fixture('areas.label.gii'))
    expect(areas.labels).toEqual([
      { index: 0, name: 'Unknown', colour: [25, 5, 25] },
      { index: 1, name: 'V1', colour: [220, 20, 60] },
      { index: 2, name: 'FFA-1', colour: [0, 128, 255] },
    ])
    expect([...(areas.arrays[0].data as Int32Array)]).toEqual([0, 1, 2, 0, 1, 2])
  })

  it('gzipped as a whole, in columns, and behind a comment', () => {
    const bytes = fixtureBytes('ascii.surf.gii')
    expect(readGifti(fromMemory(gzipSync(bytes)))).toEqual(readGifti(fixture('ascii.surf.gii')))
    const columns = readGifti(replaced(bytes, 'RowMajorOrder', 'ColumnMajorOrder')).arrays[0].data
    const rows = readGifti(fromMemory(bytes)).arrays[0].data
    expect(columns[1]).toBe(rows[6])
    expect(readGifti(replaced(bytes, '<GIFTI', '<!-- <GIFTI> --><GIFTI')).arrays.length).toBe(2)
  })

  it('refuses what it cannot vouch for', () => {
    const ascii = fixtureBytes('ascii.surf.gii')
    const packed = fixtureBytes('gzip.surf.gii')
    const said = (bytes: Uint8Array, from: string, to: string) => messageOf(() => readGifti(replaced(bytes, from, to)))
    expect(said(ascii, 'Dim0="6"', 'Dim0="7"')).toMatch(/array 0.*21/)
    expect(said(ascii, 'Dim0="6"', 'Dim0="1000000000000000"')).toMatch(/array 0/)
    expect(said(packed, 'Dim0="6"', 'Dim0="600000000"')).toMatch(/compressed/)
    expect(said(ascii, 'Encoding="ASCII"', 'Encoding="ExternalFileBinary"')).toMatch(/the data inside the file/)
    expect(said(ascii, '"http://www.nitrc.org/frs/download.php/115/gifti.dtd"', '[<!ENTITY a "b">]')).toMatch(
      /declarations/,
    )
    expect(said(ascii, 'a &lt; b', 'a &b; b')).toMatch(/entities/)
    expect(said(ascii, 'NumberOfDataArrays="2"', 'NumberOfDataArrays="3"')).toMatch(/NumberOfDataArrays/)
    expect(said(ascii, '</GIFTI>', '')).toMatch(/expected <\/GIFTI>, found the end of the file/)
  })
})
