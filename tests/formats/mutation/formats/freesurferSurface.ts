import { readFreesurferSurface } from '../../../../src-main/formats/freesurferSurface.ts'
import { openFile } from '../../../../src-main/formats/source.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField, changeText } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'

const counts = (bytes: Uint8Array) => Buffer.from(bytes).indexOf('\n\n') + 2
const points = 6 * 12
const faces = 8 * 12

const freesurferSurface: MutationFormat = {
  name: 'freesurfer surface',
  extension: '.white',
  seeds: ['fs_lh.white', 'fs_lh.inflated'].map(fixtureBytes),
  structure(bytes, random) {
    const at = counts(bytes)
    const footer = at + 8 + points + faces
    if (random.int(4) === 0 && bytes.length > footer + 12) return changeText(bytes, footer + 12, bytes.length, random)
    const places = [0, at, at + 4, at + 8 + points + 4 * random.int(24), footer, footer + 4, footer + 8]
    const place = places[random.int(places.length)]
    return place + 4 > bytes.length ? changeText(bytes, 3, at, random) : changeField(bytes, place, 4, random, false)
  },
  read(path) {
    const source = openFile(path)
    try {
      const surface = readFreesurferSurface(source)
      return [
        { name: 'vertices', shape: [surface.vertices.length / 3, 3], data: surface.vertices },
        { name: 'faces', shape: [surface.faces.length / 3, 3], data: surface.faces },
        { name: 'to the scanner', shape: [surface.toScanner?.length ?? 0], data: surface.toScanner ?? [] },
      ]
    } finally {
      source.close()
    }
  },
  elements: (bytes) => [[counts(bytes) + 8, counts(bytes) + 8 + points]],
}
export default freesurferSurface
