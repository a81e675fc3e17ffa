import { deflateSync, inflateSync } from 'node:zlib'
import type { MatlabValue } from '../../../../src-main/formats/matlab.ts'
import { encodeMatlab5, openMatlab5 } from '../../../../src-main/formats/matlab5.ts'
import { openFile } from '../../../../src-main/formats/source.ts'
import type { Random } from '../../../../src-main/nn/random.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField, join } from '../mutations.ts'
import type { MutationFormat, Reading } from '../mutations.ts'
import { readArrays, rowsCheck } from '../readArrays.ts'

const numbers = Float64Array.from({ length: 60 }, (_, i) => i / 7)
const small = encodeMatlab5({ x: { dtype: 'float64', shape: [6, 10], data: numbers } })
/** Header, tag, flags, dimensions and name take 128 + 8 + 16 + 16 + 16 bytes, the tag of the data 8 more. */
const smallDataStart = 192

/** Places of the tags, flags and dimensions of all elements in a stretch of a file, at any depth. */
function structuralPlaces(bytes: Buffer, start: number, stop: number): number[] {
  const places: number[] = []
  for (let position = start; position + 8 <= stop;) {
    const [type, size] = [bytes.readUInt32LE(position), bytes.readUInt32LE(position + 4)]
    places.push(position, position + 4)
    if (type > 0xffff) {
      position += 8
      continue
    }
    const end = Math.min(stop, position + 8 + size)
    if (type === 14) places.push(...structuralPlaces(bytes, position + 8, end))
    else if (type === 5 || type === 6) for (let p = position + 8; p + 4 <= end; p += 4) places.push(p)
    position += 8 + (type === 15 ? size : Math.ceil(size / 8) * 8)
  }
  return places
}

function changePlace(bytes: Uint8Array, start: number, random: Random): Uint8Array {
  const places = structuralPlaces(Buffer.from(bytes), start, bytes.length)
  const place = places[random.int(places.length)]
  return random.int(2) ? changeField(bytes, place, 4, random) : changeField(bytes, place + random.int(4), 1, random)
}

/** Inflates one variable, changes it inside and deflates it again. */
function changeInside(bytes: Uint8Array, random: Random): Uint8Array {
  const variables: [number, number][] = []
  for (let position = 128; position < bytes.length;) {
    const size = Buffer.from(bytes).readUInt32LE(position + 4)
    variables.push([position, position + 8 + size])
    position += 8 + size
  }
  const [start, stop] = variables[random.int(variables.length)]
  const inside = deflateSync(changePlace(inflateSync(bytes.subarray(start + 8, stop)), 0, random))
  const tag = Buffer.alloc(8)
  tag.writeUInt32LE(15)
  tag.writeUInt32LE(inside.length, 4)
  return join(bytes.subarray(0, start), tag, inside, bytes.subarray(stop))
}

function flatten(name: string, value: MatlabValue): Reading[] {
  if (value.kind === 'numeric') return [{ name, shape: value.shape, data: value.data }]
  // Rows have one length; letters beyond 16 bits are counted once.
  if (value.kind === 'char')
    return [
      {
        name,
        shape: value.shape.includes(0) ? [0] : value.shape,
        data: value.rows.flatMap((row) => [...row].map((c) => c.codePointAt(0) ?? 0)),
      },
    ]
  if (value.kind === 'cell') {
    const shape = { name: `${name}{}`, shape: value.shape, data: value.items.map((_, i) => i) }
    return [shape, ...value.items.flatMap((item, i) => flatten(`${name}{${i}}`, item))]
  }
  return [...value.fields].flatMap(([field, values]) => [
    { name: `${name}.${field}`, shape: value.shape, data: values.map((_, i) => i) },
    ...values.flatMap((item, i) => flatten(`${name}(${i}).${field}`, item)),
  ])
}

const matlab5: MutationFormat = {
  name: 'matlab5',
  extension: '.mat',
  seeds: [fixtureBytes('mat5_plain.mat'), fixtureBytes('mat5_compressed.mat'), small],
  expansion: 1032,
  structure(bytes, random, seed) {
    if (random.int(20) === 0) return changeField(bytes, 116 + random.int(12), 1, random)
    return seed === 1 && random.int(4) ? changeInside(bytes, random) : changePlace(bytes, 128, random)
  },
  read(path) {
    const source = openFile(path)
    try {
      const values = openMatlab5(source).variables.flatMap(({ name, value }) => flatten(name, value()))
      return [...values, ...readArrays(path, openMatlab5).filter(({ name }) => name === rowsCheck)]
    } finally {
      source.close()
    }
  },
  elements: (bytes, seed) => (seed === 2 ? [[smallDataStart, bytes.length]] : []),
}
export default matlab5
