import { shapeNames, sides, type HemisphereMesh, type ShapeName, type Side } from './hemisphere.ts'

/** Depths between white and pial at which the sheet is looked for in the volume. */
const depths = [0.1, 0.3, 0.5, 0.7, 0.9]

/** The sheet at several depths, (N, 3) each; where one of its sides is missing, the other alone. */
export function layersBetween(white?: Float32Array<ArrayBuffer>, pial?: Float32Array<ArrayBuffer>) {
  if (!white || !pial) return [white ?? pial].filter((points) => points !== undefined)
  return depths.map((depth) => Float32Array.from(white, (value, i) => value + depth * (pial[i] - value)))
}

/**
 * Mean curvature by the place of each vertex among its neighbours, (N), smoothed: above 0 in sulci. For surfaces that come without
 * one, and to see which sign a file's numbers have.
 */
export function curvatureOf(points: Float32Array, faces: Uint32Array, smoothing = 6): Float32Array<ArrayBuffer> {
  const N = points.length / 3
  const normals = new Float32Array(points.length)
  const sums = new Float32Array(points.length)
  const counts = new Float32Array(N)
  const at = (vertex: number, c: number): number => points[3 * vertex + c]
  for (let f = 0; f < faces.length; f += 3) {
    const corners = [faces[f], faces[f + 1], faces[f + 2]]
    const [a, b, c] = corners
    const u = [0, 1, 2].map((i) => at(b, i) - at(a, i))
    const v = [0, 1, 2].map((i) => at(c, i) - at(a, i))
    const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
    corners.forEach((vertex, k) => {
      const next = corners[(k + 1) % 3]
      counts[vertex]++
      for (let i = 0; i < 3; i++) {
        normals[3 * vertex + i] += normal[i]
        // Round a closed fan each neighbour follows once.
        sums[3 * vertex + i] += at(next, i)
      }
    })
  }
  let curvature = new Float32Array(N)
  for (let p = 0; p < N; p++) {
    const length = Math.hypot(normals[3 * p], normals[3 * p + 1], normals[3 * p + 2]) || 1
    for (let i = 0; i < 3; i++)
      curvature[p] += ((sums[3 * p + i] / (counts[p] || 1) - at(p, i)) * normals[3 * p + i]) / length
  }
  for (let round = 0; round < smoothing; round++) curvature = smoothed(curvature, faces, counts)
  return curvature
}

function smoothed(values: Float32Array<ArrayBuffer>, faces: Uint32Array, counts: Float32Array) {
  const out = values.slice()
  for (let f = 0; f < faces.length; f += 3)
    for (let k = 0; k < 3; k++) out[faces[f + k]] += values[faces[f + ((k + 1) % 3)]]
  for (let p = 0; p < out.length; p++) out[p] /= 1 + counts[p]
  return out
}

/** The file's curvature, above 0 in sulci whatever its own sign is; without one, that of the mesh. */
export function curvatureFor(
  faces: Uint32Array,
  folded: Float32Array | undefined,
  given: Float32Array<ArrayBuffer> | undefined,
): Float32Array<ArrayBuffer> | undefined {
  if (!folded) return given
  const own = curvatureOf(folded, faces)
  if (!given) return own
  let agreement = 0
  for (let p = 0; p < own.length; p++) if (Number.isFinite(given[p])) agreement += own[p] * given[p]
  return agreement < 0 ? given.map((value) => -value) : given
}

const GAP = { inflated: 4, flat: 12 }

/**
 * Puts the inflated and flat hemispheres side by side: their files have each about its own origin, one inside the other. Inflated
 * ones keep the height and depth of the folded sheet, so that a morph does not jump; a flat map lies in the plane z = 0, seen
 * from above.
 */
export function placeBeside(meshes: Partial<Record<Side, HemisphereMesh>>): void {
  const inflated = sides.map((side) => [side, meshes[side]?.shapes.inflated] as const)
  const reaches = inflated.some(([side, points]) => {
    const box = points && boxOf(points)
    return box && (side === 'left' ? box.high[0] > 0 : box.low[0] < 0)
  })
  for (const side of sides) {
    const mesh = meshes[side]
    if (!mesh) continue
    const { inflated, flat } = mesh.shapes
    const folded = mesh.shapes.white ?? mesh.shapes.pial
    if (inflated && reaches) {
      const box = boxOf(inflated)
      const [from, to] = [centreOf(inflated), centreOf(folded ?? inflated)]
      move(inflated, [besideMidline(side, box, GAP.inflated), to[1] - from[1], to[2] - from[2]])
    }
    if (flat) {
      const box = boxOf(flat)
      const [, y, z] = [0, 1, 2].map((c) => (box.low[c] + box.high[c]) / 2)
      move(flat, [besideMidline(side, box, GAP.flat), -y, -z])
    }
  }
}

const besideMidline = (side: Side, { low, high }: ReturnType<typeof boxOf>, gap: number): number =>
  side === 'left' ? -gap / 2 - high[0] : gap / 2 - low[0]

function boxOf(points: Float32Array): { low: number[]; high: number[] } {
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (let i = 0; i < points.length; i++) {
    if (Number.isNaN(points[i])) continue
    const c = i % 3
    if (points[i] < low[c]) low[c] = points[i]
    if (points[i] > high[c]) high[c] = points[i]
  }
  return { low, high }
}

function centreOf(points: Float32Array): number[] {
  const sum = [0, 0, 0]
  for (let i = 0; i < points.length; i++) sum[i % 3] += points[i]
  return sum.map((value) => (3 * value) / points.length)
}

function move(points: Float32Array, by: number[]): void {
  for (let i = 0; i < points.length; i++) points[i] += by[i % 3]
}

/** The shapes that a mesh has, in the order of the morph. */
export const shapesOf = ({ shapes }: HemisphereMesh): ShapeName[] => shapeNames.filter((name) => shapes[name])
