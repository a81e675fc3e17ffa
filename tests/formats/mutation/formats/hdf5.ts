import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openHdf5, writeHdf5 } from '../../../../src-main/formats/hdf5.ts'
import { lookup3 } from '../../../../src-main/formats/hdf5Write.ts'
import { toBytes } from '../../../../src-main/formats/elements.ts'
import type { Random } from '../../../../src-main/nn/random.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField } from '../mutations.ts'
import type { MutationFormat, Reading } from '../mutations.ts'
import { rowsCheck } from '../readArrays.ts'

const values = Float16Array.from({ length: 60 }, (_, i) => i / 8)

/** Our own file: its data come last. */
function written(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'hdf5-'))
  writeHdf5(join(folder, 'x.h5'), { x: { dtype: 'float16', shape: [6, 10], data: values } })
  const bytes = Uint8Array.from(readFileSync(join(folder, 'x.h5')))
  rmSync(folder, { recursive: true })
  return bytes
}

/** Stretches [start, stop) of metadata in the older layout, which has no checksums: superblock, B-trees, heaps, object headers. */
export function metadata(bytes: Buffer): [number, number][] {
  const base = bytes.indexOf('\x89HDF\r\n\x1a\n', 'latin1')
  const found: [number, number][] = [[base, base + 96]]
  const each = (signature: string, use: (at: number) => void) => {
    for (let at = bytes.indexOf(signature); at >= 0; at = bytes.indexOf(signature, at + 4)) use(at)
  }
  each('TREE', (at) => found.push([at, at + 64]))
  each('HEAP', (at) => found.push([at, at + 96]))
  each('GCOL', (at) => found.push([at, at + 64]))
  each('SNOD', (at) => {
    const symbols = bytes.readUInt16LE(at + 6)
    found.push([at, at + 8 + 40 * symbols])
    for (let i = 0; i < symbols; i++) {
      const header = base + Number(bytes.readBigUInt64LE(at + 8 + 40 * i + 8))
      if (header + 16 <= bytes.length) found.push([header, header + 16 + bytes.readUInt32LE(header + 8)])
    }
  })
  return found.map(([start, stop]) => [start, Math.min(stop, bytes.length)])
}

/** Stretches of the newer layout that end in a checksum: the superblock and the object headers. */
function summed(bytes: Buffer): [number, number][] {
  const found: [number, number][] = bytes[8] >= 2 ? [[0, 44]] : []
  for (let at = bytes.indexOf('OHDR'); at >= 0; at = bytes.indexOf('OHDR', at + 4)) {
    const flags = bytes[at + 5]
    const sizeAt = at + 6 + (flags & 32 ? 16 : 0) + (flags & 16 ? 4 : 0)
    const sizeBytes = 1 << (flags & 3)
    const end = sizeAt + sizeBytes + (sizeBytes <= 4 ? bytes.readUIntLE(sizeAt, sizeBytes) : Infinity)
    if (end + 4 <= bytes.length) found.push([at, end])
  }
  return found
}

/** Changes a summed stretch and gives it its sum again, so that the parser meets the change itself. */
function changeSummed(bytes: Uint8Array, random: Random): Uint8Array {
  const stretches = summed(Buffer.from(bytes))
  const [start, stop] = stretches[random.int(stretches.length)]
  const size = [1, 2, 4, 8][random.int(4)]
  const out = Buffer.from(changeField(bytes, start + random.int(stop - start - size), size, random))
  out.writeUInt32LE(lookup3(out.subarray(start, stop)), stop)
  return Uint8Array.from(out)
}

export function changeMetadata(bytes: Uint8Array, random: Random): Uint8Array {
  const stretches = metadata(Buffer.from(bytes))
  const [start, stop] = stretches[random.int(stretches.length)]
  const size = [1, 2, 4, 8][random.int(4)]
  const place = start + Math.floor(random.int(stop - start) / size) * size
  return changeField(bytes, Math.min(place, bytes.length - size), size, random)
}

async function read(path: string): Promise<Reading[]> {
  const file = await openHdf5(path)
  try {
    const readings: Reading[] = []
    for (const [name, kind] of file.objects) {
      if (kind.includes('link')) continue
      const attributes = Object.values(file.attributes(name))
      readings.push({ name: `${name} attributes`, shape: [attributes.length], data: attributes.map((_, i) => i) })
      if (kind === 'text') readings.push({ name, shape: file.shape(name), data: file.strings(name).map((_, i) => i) })
      if (kind === 'object references')
        readings.push({ name, shape: file.shape(name), data: file.references(name).map((_, i) => i) })
    }
    for (const entry of file.arrays) {
      const whole = entry.read()
      readings.push({ ...whole, name: entry.name })
      if (!entry.shape.length) continue
      const rows = entry.readRows(entry.shape[0] >> 1, entry.shape[0]).data
      const rest = whole.data.subarray(whole.data.length - rows.length)
      const same = Buffer.compare(toBytes(rows), toBytes(rest)) === 0
      readings.push({ name: rowsCheck, shape: [1], data: same ? [1] : [] })
    }
    return readings
  } finally {
    file.close()
  }
}

const seeds = [fixtureBytes('kinds.h5'), written(), fixtureBytes('kinds.h5'), fixtureBytes('latest.h5')]

/**
 * A file may make the library's WebAssembly trap; that is caught, and the next file gets a fresh instance. It could also make it
 * loop without end: no thread can stop that, so files of unknown origin are opened in a process that can be killed, as here.
 */
const hdf5: MutationFormat = {
  name: 'hdf5',
  extension: '.h5',
  seeds,
  structure: (bytes, random, seed) => (seed % 2 && random.int(8) ? changeSummed : changeMetadata)(bytes, random),
  elements: (bytes, seed) => (seed === 1 ? [[bytes.length - 120, bytes.length]] : []),
  read,
  expansion: 1032,
}
export default hdf5
