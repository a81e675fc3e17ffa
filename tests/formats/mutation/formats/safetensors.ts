import { encodeSafetensors, openSafetensors } from '../../../../src-main/formats/safetensors.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField, changeText, join } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'
import { readArrays } from '../readArrays.ts'

const dataStart = (bytes: Uint8Array) => 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)

const safetensors: MutationFormat = {
  name: 'safetensors',
  extension: '.safetensors',
  seeds: [
    fixtureBytes('all.safetensors'),
    encodeSafetensors({
      w: { dtype: 'float32', shape: [8, 16], data: Float32Array.from({ length: 128 }, (_, i) => i) },
    }),
  ],
  structure(bytes, random) {
    if (random.int(4) === 0) return changeField(bytes, 0, 8, random)
    const changed = changeText(bytes, 8, dataStart(bytes), random)
    if (random.int(4) === 0) return changed
    // Most often the header's length is mended, so that the change is seen by what reads the JSON.
    const length = Buffer.alloc(8)
    length.writeUInt32LE(dataStart(bytes) - 8 + changed.length - bytes.length)
    return join(length, changed.subarray(8))
  },
  read: (path) => readArrays(path, openSafetensors),
  elements: (bytes) => [[dataStart(bytes), bytes.length]],
}
export default safetensors
