/** ROIs and parcellations as outlines over what a scene consists of. */
import type { SubjectBrain } from './data.ts'
import type { Content } from './scene/content.ts'
import type { Outline, Parcels } from './scene/outlines.ts'

/** @param masks (ROIs * V) */
export function outlineSets(
  rois: readonly { name: string; colour: readonly [number, number, number]; index: number }[],
  masks: Uint8Array | undefined,
  voxels: number,
  content: Content,
): Outline[] {
  if (!masks) return []
  const voxelOf = content.voxelOf.array
  return rois.map(({ name, colour, index }) => ({
    name,
    colour,
    has: (element) => voxelOf[element] >= 0 && masks[index * voxels + voxelOf[element]] !== 0,
  }))
}

/** A parcellation over the elements of a scene of surfaces; labels of the two hemispheres are told apart. */
export async function piecesOf(brain: SubjectBrain, name: string, content: Content): Promise<Parcels | undefined> {
  const sides = brain.sides.filter((side) => brain.info.hemispheres[side]!.parcellations.includes(name))
  if (sides.length === 0 || content.cubes) return undefined
  const labelOf = new Int32Array(content.elements).fill(-1)
  const labels = new Map<number, { name: string; colour: readonly [number, number, number] }>()
  let first = 0 // labels of the second hemisphere are numbered on
  for (const side of sides) {
    const [{ labels: own }, vertices] = await Promise.all([brain.parcellation(side, name), brain.pieces(side, name)])
    let highest = 0
    for (const { index, name, colour } of own) {
      labels.set(first + index, { name, colour })
      highest = Math.max(highest, index)
    }
    for (let v = 0; v < vertices.length; v++)
      if (vertices[v] >= 0) labelOf[content.elementOf(side, v)] = first + vertices[v]
    first += highest + 1
  }
  return { labelOf, labels }
}
