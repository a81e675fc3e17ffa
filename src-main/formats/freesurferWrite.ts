/** Writes FreeSurfer's binary files of a surface, as its own tools read them. */
import type { NamedLabel } from './freesurferLabels.ts'
import type { FreesurferPatch, FreesurferSurface } from './freesurferSurface.ts'

/** The geometry of a conformed volume whose frame is the scanner's: vertices need no moving. */
const geometry = [
  'valid = 1  # volume info valid',
  'filename = none',
  'volume = 256 256 256',
  'voxelsize = 1 1 1',
  'xras   = -1 0 0',
  'yras   = 0 0 -1',
  'zras   = 0 1 0',
  'cras   = 0 0 0',
  '',
].join('\n')

/** A triangle surface; `vertices` (N, 3) are in the scanner's RAS. */
export function encodeFreesurferSurface({ comment, vertices, faces }: FreesurferSurface): Uint8Array {
  const counts = Buffer.alloc(8)
  counts.writeInt32BE(vertices.length / 3, 0)
  counts.writeInt32BE(faces.length / 3, 4)
  const head = Buffer.concat([Buffer.from([0xff, 0xff, 0xfe]), Buffer.from(`${comment}\n\n`)])
  const tag = Buffer.from([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 20])
  return Buffer.concat([head, counts, swapped(vertices), swapped(faces), tag, Buffer.from(geometry)])
}

/** One number per vertex (N) of a mesh of `faces` triangles. */
export function encodeFreesurferCurvature(values: Float32Array, faces: number): Uint8Array {
  const head = Buffer.from([0xff, 0xff, 0xff, ...new Array<number>(12).fill(0)])
  ;[values.length, faces, 1].forEach((count, i) => head.writeInt32BE(count, 3 + 4 * i))
  return Buffer.concat([head, swapped(values)])
}

/** A patch; `border` (n) is 1 for vertices on its edge. */
export function encodeFreesurferPatch({ vertices, points }: FreesurferPatch, border: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(8 + vertices.length * 16)
  bytes.writeInt32BE(-1, 0)
  bytes.writeInt32BE(vertices.length, 4)
  vertices.forEach((vertex, i) => {
    bytes.writeInt32BE(border[i] ? -vertex - 1 : vertex + 1, 8 + 16 * i)
    for (let c = 0; c < 3; c++) bytes.writeFloatBE(points[3 * i + c], 12 + 16 * i + 4 * c)
  })
  return bytes
}

/** An annotation; `labels` (N) are indices of `table`, -1 for none. Colours of the table must differ. */
export function encodeAnnotation(labels: Int32Array, table: readonly NamedLabel[], name: string): Uint8Array {
  const int = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  }
  const text = (value: string) => Buffer.concat([int(Buffer.byteLength(value) + 1), Buffer.from(`${value}\0`)])
  const code = ([r, g, b]: NamedLabel['colour']) => r | (g << 8) | (b << 16)
  const codes = new Map(table.map((label) => [label.index, code(label.colour)]))
  const pairs = Buffer.alloc(labels.length * 8)
  labels.forEach((label, i) => {
    pairs.writeInt32BE(i, 8 * i)
    pairs.writeInt32BE(codes.get(label) ?? 0, 8 * i + 4)
  })
  const largest = table.reduce((most, { index }) => Math.max(most, index), -1)
  const entries = table.map((label) =>
    Buffer.concat([int(label.index), text(label.name), ...[...label.colour, 0].map(int)]),
  )
  return Buffer.concat([
    int(labels.length),
    pairs,
    ...[1, -2, largest + 1].map(int),
    text(name),
    int(table.length),
    ...entries,
  ])
}

function swapped(data: Float32Array | Uint32Array): Buffer {
  return Buffer.from(data.slice().buffer).swap32()
}
