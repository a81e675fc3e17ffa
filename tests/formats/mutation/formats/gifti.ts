import { readGifti } from '../../../../src-main/formats/gifti.ts'
import { openFile } from '../../../../src-main/formats/source.ts'
import { fixtureBytes } from '../../values.ts'
import { changeText } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'

const names = ['ascii.surf.gii', 'base64.surf.gii', 'gzip.surf.gii', 'big.surf.gii', 'areas.label.gii']

const gifti: MutationFormat = {
  name: 'gifti',
  extension: '.gii',
  seeds: names.map(fixtureBytes),
  structure: (bytes, random) => changeText(bytes, 0, bytes.length, random),
  read(path) {
    const source = openFile(path)
    try {
      const { arrays, labels } = readGifti(source)
      return [
        ...arrays.map(({ intent, shape, data }) => ({ name: intent, shape, data })),
        { name: 'labels', shape: [labels.length], data: labels.map(({ index }) => index) },
      ]
    } finally {
      source.close()
    }
  },
  // XML in memory is text of two bytes a character, cut into pieces.
  expansion: 1032,
}
export default gifti
