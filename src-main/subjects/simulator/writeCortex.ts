import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  encodeAnnotation,
  encodeFreesurferCurvature,
  encodeFreesurferPatch,
  encodeFreesurferSurface,
} from '../../formats/freesurferWrite.ts'
import { roiColour } from '../roiColours.ts'
import { generatedComment } from '../surfaces/hemisphere.ts'
import type { AreaPoint } from './areas.ts'
import { subjectCortices } from './experiment.ts'
import { meshOf, type Sheet } from './sheet.ts'
import { roiFiles, type LayoutJob } from './writeCommon.ts'

/**
 * The subject's cortex as FreeSurfer keeps one, where NSD has it: folded and inflated surfaces, flat map, curvature, and an
 * annotation for each volume of areas. The same in every layout.
 */
export function writeCortex({ experiment, subject, folder, cortexLevel, options }: LayoutJob): void {
  const root = join(folder, 'nsddata', 'freesurfer', subject.id)
  for (const name of ['surf', 'label']) mkdirSync(join(root, name), { recursive: true })
  for (const cortex of subjectCortices(experiment.seed, subject.number)) {
    options.signal.throwIfAborted()
    const side = cortex.hemisphere === 'left' ? 'lh' : 'rh'
    const sheet = meshOf(cortex, cortexLevel)
    const surf = (name: string, bytes: Uint8Array) => writeFileSync(join(root, 'surf', `${side}.${name}`), bytes)
    for (const name of ['white', 'pial', 'inflated'] as const)
      surf(name, encodeFreesurferSurface({ comment: generatedComment, vertices: sheet[name], faces: sheet.faces }))
    surf('curv', encodeFreesurferCurvature(sheet.curvature, sheet.faces.length / 3))
    surf('full.flat.patch.3d', encodeFlat(sheet))
    for (const { file, labels, name } of roiFiles) {
      const table = labels.map((label, i) => ({ index: i + 1, name: label, colour: roiColour(i) }))
      const indexOf = (area: AreaPoint | undefined) => (area ? labels.indexOf(name(area) ?? '') + 1 : 0)
      const annotation = encodeAnnotation(Int32Array.from(sheet.areas, indexOf), table, file)
      writeFileSync(join(root, 'label', `${side}.${file}.annot`), annotation)
    }
  }
}

/** The patch of the vertices that the flat map has; on its border are those with a neighbour that was cut away. */
function encodeFlat({ flat, faces }: Sheet): Uint8Array {
  const isCut = (p: number): boolean => Number.isNaN(flat[3 * p])
  const onBorder = new Uint8Array(flat.length / 3)
  for (let f = 0; f < faces.length; f += 3) {
    const corners = [faces[f], faces[f + 1], faces[f + 2]]
    if (corners.some(isCut)) for (const corner of corners) onBorder[corner] = 1
  }
  const kept = Uint32Array.from(onBorder.keys()).filter((p) => !isCut(p))
  const points = Float32Array.from(kept.length ? [...kept].flatMap((p) => [...flat.subarray(3 * p, 3 * p + 3)]) : [])
  return encodeFreesurferPatch(
    { vertices: kept, points },
    Uint8Array.from(kept, (p) => onBorder[p]),
  )
}
