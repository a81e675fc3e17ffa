import { gunzipSync, gzipSync } from 'node:zlib'
import { openNifti } from '../../../../src-main/formats/nifti.ts'
import { openFile } from '../../../../src-main/formats/source.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'

const names = ['int16.nii', 'int16.nii.gz', 'big.nii', 'float32v2.nii', 'scaled.nii', 'qform.nii']

/** Offset and size of the header fields that we read, by nifti1.h and nifti2.h. */
const axes = (start: number, size: number): [number, number][] =>
  Array.from({ length: 8 }, (_, i) => [start + i * size, size])
const fields1: [number, number][] = [[0, 4], ...axes(40, 2), [70, 2], [72, 2], ...axes(76, 4), [108, 4], [112, 4], [116, 4], [252, 2], [254, 2], [256, 4], [280, 4], [344, 4], [348, 4]] // prettier-ignore
const fields2: [number, number][] = [[0, 4], [4, 8], [12, 2], [14, 2], ...axes(16, 8), ...axes(104, 8), [168, 8], [176, 8], [184, 8], [344, 4], [348, 4], [400, 8], [540, 4]] // prettier-ignore

const nifti: MutationFormat = {
  name: 'nifti',
  extension: '.nii',
  seeds: names.map(fixtureBytes),
  structure(bytes, random, seed) {
    const gzipped = names[seed].endsWith('.gz')
    // half of the gzipped ones are changed outside: magic, method, flags, checksum, length
    if (gzipped && random.int(2)) {
      const outside = [0, 1, 2, 3, bytes.length - 8, bytes.length - 4]
      return changeField(bytes, outside[random.int(outside.length)], 1 + random.int(4), random)
    }
    const plain = gzipped ? gunzipSync(bytes) : bytes
    const fields = names[seed].includes('v2') ? fields2 : fields1
    const [offset, size] = fields[random.int(fields.length)]
    const changed = changeField(plain, offset, size, random, !names[seed].startsWith('big'))
    return gzipped ? Uint8Array.from(gzipSync(changed)) : changed
  },
  read(path) {
    const file = openNifti(openFile(path))
    try {
      const affine = { name: 'affine', shape: [4, 4], data: file.affine.flat() }
      const volumes = Array.from({ length: file.volumeCount }, (_, t) => ({
        name: `volume ${t}`,
        ...file.readVolume(t),
      }))
      return [affine, ...volumes]
    } finally {
      file.close()
    }
  },
  // values under a scale may coincide after rounding, gzipped ones are not where they seem
  elements: (bytes, seed) =>
    /gz|scaled/.test(names[seed]) ? [] : [[names[seed].includes('v2') ? 544 : 352, bytes.length]],
  expansion: 1032,
}
export default nifti
