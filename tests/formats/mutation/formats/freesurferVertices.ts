import { MindEyeError } from '../../../../src-main/base/errors.ts'
import { readFreesurferCurvature } from '../../../../src-main/formats/freesurferCurvature.ts'
import { readAnnotation, readFreesurferLabel } from '../../../../src-main/formats/freesurferLabels.ts'
import { readFreesurferPatch } from '../../../../src-main/formats/freesurferSurface.ts'
import type { ByteSource } from '../../../../src-main/formats/source.ts'
import { openFile } from '../../../../src-main/formats/source.ts'
import { fixtureBytes } from '../../values.ts'
import { changeField, changeText } from '../mutations.ts'
import type { MutationFormat, Reading } from '../mutations.ts'

const names = ['curv', 'old.curv', 'areas.annot', 'old.annot', 'V1.label', 'flat.patch.3d']
/** By the first bytes, as the seeds have them: they lose their names here. */
const readers: ((source: ByteSource) => Reading[])[] = [
  (source) => list('values', readFreesurferCurvature(source)),
  (source) => {
    const { labels, table } = readAnnotation(source)
    return [...list('labels', labels), ...table.flatMap((row) => list(row.name, row.colour))]
  },
  (source) => list('vertices', readFreesurferLabel(source).vertices),
  (source) => {
    const { vertices, points } = readFreesurferPatch(source)
    return [...list('vertices', vertices), { name: 'points', shape: [vertices.length, 3], data: points }]
  },
]
const list = (name: string, data: ArrayLike<number>): Reading[] => [{ name, shape: [data.length], data }]

/** Every reader is tried on every file: one that is not its own must be refused as politely. */
const freesurferVertices: MutationFormat = {
  name: 'freesurfer vertices',
  extension: '.fs',
  seeds: names.map((name) => fixtureBytes(`fs_lh.${name}`)),
  structure(bytes, random, seed) {
    if (names[seed].endsWith('label')) return changeText(bytes, 0, bytes.length, random)
    const table = 4 + 6 * 8
    const places = names[seed].endsWith('annot') ? [0, 4, 8, ...Array.from({ length: 12 }, (_, i) => table + 4 * i)] : [0, 3, 4, 7, 8, 11] // prettier-ignore
    return changeField(bytes, places[random.int(places.length)], random.int(2) ? 4 : 3, random, false)
  },
  read(path) {
    const source = openFile(path)
    let refusal: unknown
    try {
      for (const read of readers)
        try {
          return read(source)
        } catch (error) {
          if (!(error instanceof MindEyeError)) throw error
          refusal = error
        }
      throw refusal
    } finally {
      source.close()
    }
  },
  elements: (bytes, seed) => (names[seed] === 'curv' ? [[15, bytes.length]] : []),
}
export default freesurferVertices
