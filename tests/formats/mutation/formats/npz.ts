import { openNpz } from '../../../../src-main/formats/npz.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField, changeText } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'
import { readArrays } from '../readArrays.ts'

// prettier-ignore
const records: [signature: string, fields: [offset: number, size: number][]][] = [
  ['PK\x03\x04', [[0, 4], [6, 2], [8, 2], [18, 4], [22, 4], [26, 2], [28, 2]]],
  ['PK\x01\x02', [[0, 4], [8, 2], [10, 2], [16, 4], [20, 4], [24, 4], [28, 2], [30, 2], [32, 2], [42, 4]]],
  ['PK\x05\x06', [[0, 4], [8, 2], [10, 2], [12, 4], [16, 4], [20, 2]]],
  ['PK\x06\x06', [[0, 4], [24, 8], [32, 8], [40, 8], [48, 8]]],
  ['PK\x06\x07', [[0, 4], [8, 8]]],
]

function places(bytes: Uint8Array): [number, number][] {
  const buffer = Buffer.from(bytes)
  return records.flatMap(([signature, fields]) => {
    const found: [number, number][] = []
    for (let at = buffer.indexOf(signature, 0, 'latin1'); at >= 0; at = buffer.indexOf(signature, at + 1, 'latin1'))
      found.push(...fields.map(([offset, size]): [number, number] => [at + offset, size]))
    return found
  })
}

/** Bytes of elements in a stored archive: from the line end of each array's header to the next record. */
function elements(bytes: Uint8Array): [number, number][] {
  const buffer = Buffer.from(bytes)
  const ranges: [number, number][] = []
  for (let at = buffer.indexOf('\x93NUMPY', 0, 'latin1'); at >= 0; at = buffer.indexOf('\x93NUMPY', at + 1, 'latin1'))
    ranges.push([buffer.indexOf('\n', at) + 1, buffer.indexOf('PK', at)])
  return ranges
}

const npz: MutationFormat = {
  name: 'npz',
  extension: '.npz',
  seeds: ['stored', 'deflated', 'zip64'].map((name) => fixtureBytes(`npz_${name}.npz`)),
  expansion: 1032,
  structure(bytes, random, seed) {
    const headers = seed === 1 ? [] : elements(bytes)
    if (headers.length && random.int(4) === 0) {
      // The header of an array inside, which keeps its length so that the archive around it stays whole.
      const [stop] = headers[random.int(headers.length)]
      const start = Buffer.from(bytes).lastIndexOf('\x93NUMPY', stop, 'latin1')
      const text = changeText(bytes.slice(start, stop), 10, stop - start, random)
      bytes.set(text.subarray(0, stop - start), start)
      return bytes
    }
    const all = places(bytes)
    const [offset, size] = all[random.int(all.length)]
    return changeField(bytes, offset, size, random)
  },
  read: (path) => readArrays(path, openNpz),
  elements: (bytes, seed) => (seed === 1 ? [] : elements(bytes)),
}
export default npz
