import { openNpy } from '../../../../src-main/formats/npy.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField, changeText } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'
import { readArrays } from '../readArrays.ts'

const names = ['le_f4', 'be_i2', 'le_i8', 'le_f2', 'u1', 'v2', 'v3', 'fortran', 'scalar', 'empty']
const dataStart = (bytes: Uint8Array) => bytes.indexOf(0x0a) + 1

const npy: MutationFormat = {
  name: 'npy',
  extension: '.npy',
  seeds: names.map((name) => fixtureBytes(`npy_${name}.npy`)),
  structure(bytes, random) {
    if (random.int(3) === 0) return changeField(bytes, 6 + random.int(4), 1 + random.int(2), random)
    return changeText(bytes, 10, dataStart(bytes), random)
  },
  read: (path) => readArrays(path, openNpy),
  elements: (bytes) => (dataStart(bytes) < bytes.length ? [[dataStart(bytes), bytes.length]] : []),
}
export default npy
