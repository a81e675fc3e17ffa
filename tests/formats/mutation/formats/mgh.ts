import { gunzipSync, gzipSync } from 'node:zlib'
import { openMgh } from '../../../../src-main/formats/mgh.ts'
import { openFile } from '../../../../src-main/formats/source.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'

const names = ['int16.mgh', 'float32.mgz']
const fields: [number, number][] = [[0, 4], [4, 4], [8, 4], [12, 4], [16, 4], [20, 4], [24, 4], [28, 2], [30, 4], [42, 4], [78, 4]] // prettier-ignore

const mgh: MutationFormat = {
  name: 'mgh',
  extension: '.mgh',
  seeds: names.map(fixtureBytes),
  structure(bytes, random, seed) {
    const isGzipped = names[seed].endsWith('z')
    const [offset, size] = fields[random.int(fields.length)]
    const changed = changeField(isGzipped ? gunzipSync(bytes) : bytes, offset, size, random, false)
    return isGzipped ? Uint8Array.from(gzipSync(changed)) : changed
  },
  read(path) {
    const file = openMgh(openFile(path))
    try {
      const affine = { name: 'affine', shape: [file.affine?.length ?? 0], data: file.affine ?? [] }
      return [affine, ...Array.from({ length: file.frames }, (_, t) => ({ name: `${t}`, ...file.readFrame(t) }))]
    } finally {
      file.close()
    }
  },
  elements: (_, seed) => (seed === 0 ? [[284, 284 + 240]] : []),
  expansion: 1032,
}
export default mgh
