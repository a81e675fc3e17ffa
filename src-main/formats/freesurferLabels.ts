/** FreeSurfer's named vertex sets: annotations (lh.aparc.annot), single labels (lh.V1.label) and colour tables (NAME.ctab). */
import { formatError } from '../base/errors.ts'
import type { ByteSource } from './source.ts'

/** A name with its colour, 0 to 255, of a label volume, an annotation or a GIFTI file. */
export interface NamedLabel {
  index: number
  name: string
  colour: [r: number, g: number, b: number]
}

export interface Annotation {
  /** (N) index of each vertex's label, -1 where it has none. */
  labels: Int32Array
  table: NamedLabel[]
}

const maxEntries = 100_000
const maxName = 1024
const maxText = 64 * 2 ** 20

/** Reads an annotation with its colour table, of either version. Throws a format error without a table: its colours would name nothing. */
export function readAnnotation(source: ByteSource): Annotation {
  const where = source.name
  const n = Buffer.from(source.read(0, 4, 'vertices')).readInt32BE()
  if (n < 1 || n * 8 > source.size - 4)
    throw formatError(where, 'vertices', `1 to ${Math.floor((source.size - 4) / 8)}`, `${n}`)
  const pairs = Buffer.from(source.read(4, n * 8, 'labels'))
  const { table, codes } = readColourTable(source, 4 + n * 8)
  const labels = new Int32Array(n).fill(-1)
  for (let i = 0; i < n; i++) {
    const vertex = pairs.readInt32BE(i * 8)
    if (vertex < 0 || vertex >= n) throw formatError(where, `vertex ${i}`, `0 to ${n - 1}`, `${vertex}`)
    labels[vertex] = codes.get(pairs.readInt32BE(i * 8 + 4)) ?? -1
  }
  return { labels, table }
}

/** `codes` turns the colour that a vertex carries into the index of its label. */
function readColourTable(source: ByteSource, start: number): { table: NamedLabel[]; codes: Map<number, number> } {
  const where = source.name
  let at = start
  const int = (field: string): number => Buffer.from(source.read((at += 4) - 4, 4, field)).readInt32BE()
  const text = (field: string): string => {
    const length = int(`${field} length`)
    if (length < 0 || length > maxName) throw formatError(where, `${field} length`, `0 to ${maxName}`, `${length}`)
    return Buffer.from(source.read((at += length) - length, length, field))
      .toString('utf8')
      .replace(/\0[^]*$/, '')
  }
  if (source.size - at < 4 || int('colour table') !== 1)
    throw formatError(
      where,
      'colour table',
      'a table of names and colours',
      'none',
      'Save the annotation with its table.',
    )
  const first = int('entries')
  const version = first > 0 ? 1 : -first
  if (version > 2) throw formatError(where, 'version of the colour table', '1 or 2', `${version}`)
  if (version === 2) int('largest index')
  text('name of the table')
  const count = version === 2 ? int('entries') : first
  if (count < 0 || count > maxEntries || count * 20 > source.size - at)
    throw formatError(
      where,
      'entries',
      `at most ${Math.min(maxEntries, Math.floor((source.size - at) / 20))}`,
      `${count}`,
    )
  const table: NamedLabel[] = []
  const codes = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const index = version === 2 ? int(`entry ${i}`) : i
    const name = text(`entry ${i}, name`)
    const [r, g, b] = ['red', 'green', 'blue', 'transparency'].map((part) => int(`entry ${i}, ${part}`))
    const colour = checkColour(where, `entry ${i}`, [r, g, b])
    table.push({ index, name, colour })
    codes.set(r | (g << 8) | (b << 16), index)
  }
  return { table, codes }
}

function checkColour(where: string, field: string, colour: number[]): [number, number, number] {
  if (!colour.every((part) => Number.isInteger(part) && part >= 0 && part <= 255))
    throw formatError(where, field, 'colours from 0 to 255', colour.join(' '))
  return colour as [number, number, number]
}

export interface VertexLabel {
  /** Vertices of the label, in the order of the file. */
  vertices: Uint32Array
  /** The statistic that each carries, often 0. */
  values: Float32Array
}

/** Reads a label in text: a comment, the count, then vertex, x, y, z and value in each line. */
export function readFreesurferLabel(source: ByteSource): VertexLabel {
  const where = source.name
  const lines = readText(source).split('\n')
  const n = Number(lines[1]?.trim() || NaN)
  if (!lines[0].startsWith('#') || !Number.isInteger(n) || n < 0 || n > lines.length - 2)
    throw formatError(
      where,
      'count',
      `a comment, then the number of up to ${lines.length - 2} vertices`,
      `${lines[1]?.slice(0, 40)}`,
    )
  const vertices = new Uint32Array(n)
  const values = new Float32Array(n)
  for (let i = 0; i < n; i++) {
    const cells = lines[i + 2].trim().split(/\s+/).map(Number)
    const vertex = cells[0]
    if (
      cells.length !== 5 ||
      !cells.every(Number.isFinite) ||
      !(Number.isInteger(vertex) && vertex >= 0 && vertex < 2 ** 31)
    )
      throw formatError(
        where,
        `line ${i + 3}`,
        'a vertex, three coordinates and a value',
        JSON.stringify(lines[i + 2].slice(0, 80)),
      )
    vertices[i] = vertex
    values[i] = cells[4]
  }
  return { vertices, values }
}

/** Reads a colour table in text: number, name, red, green, blue and transparency in each line; comments begin with #. */
export function readColours(source: ByteSource): NamedLabel[] {
  const rows = readText(source)
    .split('\n')
    .map((line, i) => ({ line: line.trim(), number: i + 1 }))
    .filter(({ line }) => line && !line.startsWith('#'))
  return rows.map(({ line, number }) => {
    const cells = line.split(/\s+/)
    const index = Number(cells[0])
    if (cells.length < 5 || !Number.isInteger(index))
      throw formatError(
        source.name,
        `line ${number}`,
        'a number, a name and four parts of a colour',
        JSON.stringify(line.slice(0, 80)),
      )
    // A name may hold spaces: the colour is what comes last.
    const tail = cells.length > 5 ? -4 : -3
    const colour = checkColour(source.name, `line ${number}`, cells.slice(tail).slice(0, 3).map(Number))
    return { index, name: cells.slice(1, tail).join(' '), colour }
  })
}

function readText(source: ByteSource): string {
  if (source.size > maxText)
    throw formatError(source.name, 'size', `at most ${maxText} bytes of text`, `${source.size}`)
  const text = Buffer.from(source.read(0, source.size)).toString('latin1')
  if (text.includes('\0')) throw formatError(source.name, 'text', 'text', 'binary data')
  return text
}
