import { areaAt, chart, type AreaPoint } from './areas.ts'
import { brain } from './constants.ts'
import { icosphere, unit, dot, cross, type Cortex, type Vec3 } from './cortex.ts'

/** A generated hemisphere as a mesh: N vertices, F triangles wound outwards. */
export interface Sheet {
  /** (F, 3) */
  faces: Uint32Array<ArrayBuffer>
  /** (N, 3) in mm RAS */
  white: Float32Array<ArrayBuffer>
  pial: Float32Array<ArrayBuffer>
  inflated: Float32Array<ArrayBuffer>
  /** (N, 3) in mm in the plane z = 0; NaN where the map is cut open. */
  flat: Float32Array<ArrayBuffer>
  /** (N), above 0 in sulci. */
  curvature: Float32Array<ArrayBuffer>
  /** (N) the visual area of each vertex, if any. */
  areas: (AreaPoint | undefined)[]
}

/** The mesh of a cortex at a level of the icosphere: 10 * 4^level + 2 vertices. */
export function meshOf(cortex: Cortex, level: number): Sheet {
  const { directions, faces } = icosphere(level)
  const N = directions.length
  const points = () => new Float32Array(N * 3)
  const sheet: Sheet = {
    faces: Uint32Array.from(faces),
    white: points(),
    pial: points(),
    inflated: points(),
    flat: points(),
    curvature: new Float32Array(N),
    areas: [],
  }
  // Mirrored, the triangles of the left hemisphere would look inwards.
  if (cortex.sign < 0) for (let f = 0; f < faces.length; f += 3) sheet.faces.set([faces[f + 2], faces[f + 1]], f + 1)
  directions.forEach((u, p) => {
    const { white, pial, inflated, height } = cortex.at(u)
    sheet.white.set(white, 3 * p)
    sheet.pial.set(pial, 3 * p)
    sheet.inflated.set(inflated, 3 * p)
    sheet.flat.set(flatten(u, cortex.sign), 3 * p)
    sheet.curvature[p] = -height
    // Every area lies within 60 mm of the occipital pole.
    sheet.areas.push(u[1] < 0.3 ? areaAt(chart(cortex, u)) : undefined)
  })
  return sheet
}

/** Middle of the flat map, between the occipital pole and the lateral side: visual cortex lies around it, least distorted. */
const middle = unit([0.62, -0.78, -0.05])
const up = unit(cross(middle, cross([0, 0, 1], middle)))
const along = cross(up, middle)
/** The map is cut out around the opposite point, on the front of the medial wall; of the sphere's diameter. */
const cut = 0.93
const radius = Math.cbrt(brain.semiAxes[0] * brain.semiAxes[1] * brain.semiAxes[2])

/**
 * The flat map in closed form: Lambert's projection, which keeps the areas of the sphere that directions `u` lie on. In both
 * hemispheres dorsal is up and the medial side points to the other hemisphere.
 */
function flatten(u: Vec3, sign: number): Vec3 {
  const toMiddle = dot(u, middle)
  const length = Math.sqrt(2 - 2 * toMiddle)
  if (length > 2 * cut) return [NaN, NaN, NaN]
  const [x, y] = [dot(u, along), dot(u, up)]
  const scale = (length * radius) / (Math.hypot(x, y) || 1)
  return [sign * x * scale, y * scale, 0]
}
