import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { crc32 } from 'node:zlib'
import { decodeImage } from '../../../../src-main/formats/images.ts'
import type { Random } from '../../../../src-main/nn/random.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'

const names = ['rgb.png', 'rgb.jpg', 'rgb.webp', 'rgb.tif', 'grey16.png', 'alpha.png', 'turned.jpg']

/** Offsets, sizes and byte orders of lengths, types and dimensions. */
type Field = [offset: number, size: number, littleEndian: boolean]

function fields(bytes: Buffer, name: string): Field[] {
  if (name.endsWith('png')) {
    const found: Field[] = [16, 20].map((at) => [at, 4, false])
    found.push(...[24, 25, 26, 27, 28].map((at): Field => [at, 1, false]))
    for (let at = 8; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at))
      found.push([at, 4, false], [at + 4, 4, false])
    return found
  }
  if (name.endsWith('jpg')) {
    // segments up to the scan: marker, length, first bytes of the content
    const found: Field[] = []
    for (let at = 2; at + 4 < bytes.length && bytes[at + 1] !== 0xda; at += 2 + bytes.readUInt16BE(at + 2))
      found.push([at, 2, false], [at + 2, 2, false], ...[4, 5, 7, 9, 10, 11].map((i): Field => [at + i, i === 5 || i === 7 ? 2 : 1, false])) // prettier-ignore
    return found.filter(([at, size]) => at + size <= bytes.length)
  }
  if (name.endsWith('webp')) return [[4, 4, true], [8, 4, true], [12, 4, true], [16, 4, true], [20, 1, true], [21, 4, true]] // prettier-ignore
  const found: Field[] = [[4, 4, true]]
  const directory = bytes.readUInt32LE(4)
  found.push([directory, 2, true])
  for (let i = 0; i < bytes.readUInt16LE(directory); i++) {
    const entry = directory + 2 + 12 * i
    found.push([entry, 2, true], [entry + 2, 2, true], [entry + 4, 4, true], [entry + 8, 4, true])
  }
  return found
}

/** A changed chunk gets its sum again, so that the decoder meets the change itself. */
function mendPng(bytes: Uint8Array): Uint8Array {
  const png = Buffer.from(bytes)
  for (let at = 8; at + 12 <= png.length;) {
    const end = at + 8 + png.readUInt32BE(at)
    if (end + 4 > png.length) break
    png.writeUInt32BE(crc32(png.subarray(at + 4, end)), end)
    at = end + 4
  }
  return Uint8Array.from(png)
}

function structure(bytes: Uint8Array, random: Random, seed: number): Uint8Array {
  const all = fields(Buffer.from(bytes), names[seed])
  const changed = changeField(
    bytes,
    ...(all[random.int(all.length)].slice(0, 2) as [number, number]),
    random,
    all[0][2],
  )
  return names[seed].endsWith('png') && random.int(4) ? mendPng(changed) : changed
}

/**
 * libvips is native code: a crash in it could not be caught, so files of unknown origin are decoded in a process that can be killed,
 * as here. The stated budget is one of pixels, 25 million whatever the file's size.
 */
const images: MutationFormat = {
  name: 'images',
  extension: '.image',
  seeds: names.map(fixtureBytes),
  structure,
  async read(path) {
    const { data, width, height, channels } = await decodeImage(readFileSync(path), basename(path))
    return [{ name: 'pixels', shape: [height, width, channels], data }]
  },
}
export default images
