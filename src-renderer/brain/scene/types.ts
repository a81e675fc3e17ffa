/** What a scene is made of. Coordinates are millimetres, right-anterior-superior. */
import type { Label } from './labels.ts'
import type { View } from './views.ts'

export type Side = 'left' | 'right'
export const SIDES: readonly Side[] = ['left', 'right']

/** Stations of the morph, in order; the morph slider runs from 0 (white) to 3 (flat). */
export const SHAPES = ['white', 'pial', 'inflated', 'flat'] as const
export type Shape = (typeof SHAPES)[number]

/** One hemisphere of N vertices and F triangles. Vertices that a flat patch lacks are NaN there. */
export interface HemisphereMesh {
  faces: Uint32Array // (F * 3)
  shapes: Partial<Record<Shape, Float32Array>> // (N * 3) each
  curvature?: Float32Array // (N), positive in sulci
  voxelOf: Int32Array // (N), index of a voxel, -1 for none
}

/** What is at a pixel: a vertex of a hemisphere, or a voxel drawn as a cube. `voxel` is -1 where a vertex has none. */
export type Pick =
  { side: Side; vertex: number; voxel: number } | { side?: undefined; vertex?: undefined; voxel: number }

export type Colour = readonly [number, number, number] // sRGB bytes

export interface SceneEvents {
  /** After each drawn frame, e.g. to turn the orientation cube. */
  frame?(view: View): void
  /** The view came to rest; labels for what is seen. */
  rest?(labels: Label[]): void
  /** The driver took the context away, or gave it back. */
  context?(lost: boolean): void
}
