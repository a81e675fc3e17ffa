import { openFile } from '../../../../src-main/formats/source.ts'
import { openTar } from '../../../../src-main/formats/tar.ts'
import { fixtureBytes, fromMemory } from '../../values.ts'
import { changeField, changeText } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'

/** Start and length of the header fields that readers use. */
const fields = [
  [0, 100],
  [124, 12],
  [156, 1],
  [257, 8],
  [345, 155],
]

/** Makes the checksum of a header right again. */
function mendSum(bytes: Uint8Array, start: number): Uint8Array {
  const header = Buffer.from(bytes.buffer, start, 512)
  header.fill(' ', 148, 156)
  const sum = header.reduce((a, b) => a + b, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return bytes
}

const tar: MutationFormat = {
  name: 'tar',
  extension: '.tar',
  seeds: ['ustar', 'pax', 'gnu'].map((name) => fixtureBytes(`${name}.tar`)),
  structure(bytes, random) {
    const headers: number[] = []
    for (let at = 0; at + 512 <= bytes.length; at += 512)
      if (Buffer.from(bytes.subarray(at + 257, at + 262)).toString() === 'ustar') headers.push(at)
    const header = headers[random.int(headers.length)]
    const [offset, length] = fields[random.int(fields.length)]
    const start = header + offset
    if (random.int(5) === 0) return changeField(bytes, header + random.int(512), 1, random)
    const changed =
      random.int(2) === 0
        ? changeField(bytes, start + random.int(length), 1, random)
        : // The file keeps its length, so that later headers stay in place.
          changeText(bytes, start, start + length, random).subarray(0, bytes.length)
    const padded = new Uint8Array(bytes.length)
    padded.set(changed)
    return random.int(5) ? mendSum(padded, header) : padded
  },
  read(path) {
    const archive = openTar(openFile(path))
    try {
      return archive.entries.map((entry) => ({ name: entry.name, shape: [entry.size], data: archive.read(entry) }))
    } finally {
      archive.close()
    }
  },
  elements: (bytes) =>
    openTar(fromMemory(bytes))
      .entries.filter(({ size }) => size)
      .map(({ offset, size }) => [offset, offset + size]),
}
export default tar
