import { join } from 'node:path'
import { encodeFreesurferSurface } from '../../src-main/formats/freesurferWrite.ts'
import { put } from './support.ts'

/** A small closed mesh with four bumps: FreeSurfer files of one hemisphere below `folder`. */
export function writeSmall(folder: string, side: 'lh' | 'rh', shift = 0) {
  const vertices = Float32Array.of(9, 0, 0, -9, 0, 0, 0, 9, 0, 0, -9, 0, 0, 0, 9, 0, 0, -9).map((x, i) =>
    i % 3 ? x : x + shift,
  )
  const faces = Uint32Array.of(0, 2, 4, 2, 1, 4, 1, 3, 4, 3, 0, 4, 2, 0, 5, 1, 2, 5, 3, 1, 5, 0, 3, 5)
  for (const name of ['white', 'pial', 'inflated'])
    put(join(folder, 'surf', `${side}.${name}`), encodeFreesurferSurface({ comment: 'small', vertices, faces }))
  return { vertices, faces }
}
