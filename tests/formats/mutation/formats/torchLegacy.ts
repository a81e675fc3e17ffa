import { openTorchFile } from '../../../../src-main/formats/torchFile.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField, join } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'
import { readArrays } from '../readArrays.ts'

/** The seed of parts ends with the 15 numbers of its storage; the first 3 belong to one tensor only. */
const storageLength = 15 * 4

const torchLegacy: MutationFormat = {
  name: 'torch legacy',
  extension: '.pth',
  seeds: [fixtureBytes('torch_parts.pth'), fixtureBytes('torch_legacy4.pth')],
  structure(bytes, random, seed) {
    const stop = bytes.length - (seed === 0 ? storageLength : 300)
    const at = random.int(stop - 8)
    const choice = random.int(4)
    // An instruction or an argument lost, or done twice.
    if (choice === 0) return join(bytes.subarray(0, at), bytes.subarray(at + 1 + random.int(4)))
    if (choice === 1) return join(bytes.subarray(0, at + 1 + random.int(4)), bytes.subarray(at))
    return changeField(bytes, at, [1, 2, 4, 8][random.int(4)], random)
  },
  read: (path) => readArrays(path, openTorchFile),
  elements: (bytes, seed) => (seed === 0 ? [[bytes.length - storageLength, bytes.length - storageLength + 12]] : []),
}
export default torchLegacy
