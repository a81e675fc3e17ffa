import { openTorchFile } from '../../../../src-main/formats/torchFile.ts'
import { fixtureBytes, ruleValues } from '../../values.ts'
import { changeField } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'
import { readArrays } from '../readArrays.ts'

// prettier-ignore
const records: [signature: string, fields: [offset: number, size: number][]][] = [
  ['PK\x03\x04', [[26, 2], [28, 2]]],
  ['PK\x01\x02', [[8, 2], [10, 2], [20, 4], [24, 4], [28, 2], [30, 2], [42, 4]]],
  ['PK\x05\x06', [[10, 2], [12, 4], [16, 4]]],
]

/** The two tensors of the seed of 64 bits, where they lie. */
function elements(bytes: Uint8Array): [number, number][] {
  return [new Float32Array(ruleValues('float32', [3, 5])), new Float16Array(ruleValues('float16', [4]))].map((data) => {
    const start = Buffer.from(bytes).indexOf(Buffer.from(data.buffer))
    return [start, start + data.byteLength]
  })
}

const torchZip: MutationFormat = {
  name: 'torch archive',
  extension: '.pth',
  seeds: [fixtureBytes('torch_types.pth'), fixtureBytes('torch_zip64.pth'), fixtureBytes('torch_module.pth')],
  structure(bytes, random) {
    const buffer = Buffer.from(bytes)
    if (random.int(3)) {
      // The pickle follows the padding behind the first member's header.
      const start = buffer.indexOf('\x80\x02', 0, 'latin1')
      const stop = buffer.indexOf('PK', start, 'latin1')
      return changeField(bytes, start + random.int(stop - start - 4), 1 + random.int(4), random)
    }
    const places = records.flatMap(([signature, fields]) => {
      const found: [number, number][] = []
      for (let at = buffer.indexOf(signature, 0, 'latin1'); at >= 0; at = buffer.indexOf(signature, at + 1, 'latin1'))
        found.push(...fields.map(([offset, size]): [number, number] => [at + offset, size]))
      return found
    })
    const [offset, size] = places[random.int(places.length)]
    return changeField(bytes, offset, size, random)
  },
  read: (path) => readArrays(path, openTorchFile),
  elements: (bytes, seed) => (seed === 1 ? elements(bytes) : []),
}
export default torchZip
