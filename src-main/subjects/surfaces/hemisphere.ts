import type { NamedLabel } from '../../formats/freesurferLabels.ts'

export const sides = ['left', 'right'] as const
export type Side = (typeof sides)[number]

/** The stations of the morph, from the folded sheet to the flat map. */
export const shapeNames = ['white', 'pial', 'inflated', 'flat'] as const
export type ShapeName = (typeof shapeNames)[number]

/** What the simulator writes into its surfaces, by which they are known again. */
export const generatedComment = 'generated cortex of a simulated subject, not a scan'

/** A division of the surface into named pieces; `vertices` (N) holds the index of each vertex's label, -1 for none. */
export interface Parcellation {
  name: string
  labels: NamedLabel[]
  vertices: Int32Array<ArrayBuffer>
}

/** One hemisphere in memory: N vertices, F triangles wound outwards. */
export interface HemisphereMesh {
  /** (F, 3) */
  faces: Uint32Array<ArrayBuffer>
  /** (N, 3) in mm RAS; of the flat map, vertices that were cut away are NaN. */
  shapes: Partial<Record<ShapeName, Float32Array<ArrayBuffer>>>
  /** (N), above 0 in sulci, as FreeSurfer has it. */
  curvature?: Float32Array<ArrayBuffer>
  parcellations: Parcellation[]
  /**
   * (N, 3) each: where the sheet passes through the subject's volume, from white to pial, in mm of the volume's own space. The middle
   * one decides which voxel a vertex shows.
   */
  layers: Float32Array<ArrayBuffer>[]
}

/** Vertices of the mesh. */
export function vertexCount({ shapes }: Pick<HemisphereMesh, 'shapes'>): number {
  const some = shapeNames.map((name) => shapes[name]).find((points) => points !== undefined)
  return some ? some.length / 3 : 0
}
