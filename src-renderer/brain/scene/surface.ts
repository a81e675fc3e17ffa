/** A hemisphere as vertex buffers: four stations with normals, blended on the graphics card. */
import { Box3, BufferAttribute, BufferGeometry, Mesh, type ShaderMaterial, Vector3 } from 'three'
import { classCorners, type ClassedMesh } from './corners.ts'
import { SHAPES, type HemisphereMesh, type Shape, type Side } from './types.ts'

/** What was worked out for arrays that are still there: going back to a subject is quick. */
const classes = new WeakMap<Uint32Array, ClassedMesh>()
const stations = new WeakMap<Float32Array, Station>()

/** One shape as the graphics card has it, over the drawn vertices (N'). */
interface Station {
  positions: Float32Array // (N' * 3)
  /** Normal, and 1 where the vertex is cut away: (N' * 4), -127 to 127. */
  normals: Int8Array
  bounds: Box3
}

function kept<K extends object, T>(map: WeakMap<K, T>, key: K, make: () => T): T {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}

export class Surface {
  readonly mesh: Mesh<BufferGeometry, ShaderMaterial>
  readonly geometry = new BufferGeometry()
  readonly side: Side
  readonly data: HemisphereMesh
  /** Number of the first vertex among all elements of the scene. */
  readonly first: number
  readonly vertices: number
  /** Bounds of each station that is there. */
  readonly bounds: Partial<Record<Shape, Box3>> = {}
  private readonly classed: ClassedMesh
  private readonly faces: Uint32Array
  private readonly positions: Partial<Record<Shape, Float32Array>> = {}

  /** @param first number of the hemisphere's first vertex among all elements of the scene */
  constructor(side: Side, data: HemisphereMesh, first: number, material: ShaderMaterial) {
    this.side = side
    this.data = data
    this.first = first
    this.vertices = data.voxelOf.length
    this.faces = data.faces
    this.classed = kept(classes, data.faces, () => classCorners(data.faces, this.vertices))
    const { index, source, corner } = this.classed
    this.geometry.setIndex(new BufferAttribute(index, 1))
    const elements = new Float32Array(source.length)
    for (let i = 0; i < source.length; i++) elements[i] = source[i] + first
    this.geometry.setAttribute('element', new BufferAttribute(elements, 1))
    this.geometry.setAttribute('corner', new BufferAttribute(corner, 1))
    for (const shape of SHAPES) if (data.shapes[shape]) this.setShape(shape, data.shapes[shape])
    this.mesh = new Mesh(this.geometry, material)
    this.mesh.frustumCulled = false
    this.mesh.matrixAutoUpdate = false
  }

  has = (shape: Shape) => shape in this.positions

  /** Adds a station, (N * 3). Vertices that are not finite (outside a flat patch) are cut away there. */
  setShape(shape: Shape, positions: Float32Array) {
    const fallback = this.positions.inflated ?? this.positions.pial ?? this.positions.white
    const station = kept(stations, positions, () => makeStation(positions, this.faces, this.classed.source, fallback))
    this.positions[shape] = positions
    this.bounds[shape] = station.bounds
    const at = SHAPES.indexOf(shape)
    this.geometry.setAttribute(`position${at}`, new BufferAttribute(station.positions, 3))
    this.geometry.setAttribute(`normal${at}`, new BufferAttribute(station.normals, 4, true))
    this.fillMissing(at)
  }

  /** Position of a vertex in the surface's own space for these station weights, mm. */
  at(vertex: number, weights: readonly number[]): [number, number, number] {
    const point: [number, number, number] = [0, 0, 0]
    SHAPES.forEach((shape, i) => {
      const positions = this.positions[shape]
      if (weights[i] > 0 && positions) for (let k = 0; k < 3; k++) point[k] += weights[i] * positions[3 * vertex + k]
    })
    return point
  }

  /** Bounds of the blended shape (exact at stations, good enough between). */
  boundsAt(weights: readonly number[]): Box3 {
    const box = new Box3()
    box.min.set(0, 0, 0)
    box.max.set(0, 0, 0)
    SHAPES.forEach((shape, i) => {
      const bounds = this.bounds[shape]
      if (!bounds || weights[i] === 0) return
      box.min.addScaledVector(bounds.min, weights[i])
      box.max.addScaledVector(bounds.max, weights[i])
    })
    return box
  }

  dispose() {
    this.geometry.dispose()
  }

  /** A shader's attributes must all be bound: stations that are not there share the buffers of one that is. */
  private fillMissing(present: number) {
    SHAPES.forEach((shape, i) => {
      if (this.positions[shape]) return
      this.geometry.setAttribute(`position${i}`, this.geometry.getAttribute(`position${present}`))
      this.geometry.setAttribute(`normal${i}`, this.geometry.getAttribute(`normal${present}`))
    })
  }
}

/** @param fallback where vertices that are cut away are drawn from, while the shape is not yet flat */
function makeStation(points: Float32Array, faces: Uint32Array, source: Uint32Array, fallback?: Float32Array): Station {
  const normalOf = vertexNormals(points, faces)
  const positions = new Float32Array(3 * source.length)
  const normals = new Int8Array(4 * source.length)
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (let i = 0; i < source.length; i++) {
    const v = 3 * source[i]
    const cut = !Number.isFinite(points[v] + points[v + 1] + points[v + 2])
    if (cut) normals[4 * i + 3] = 127
    for (let k = 0; k < 3; k++) {
      const c = cut ? (fallback?.[v + k] ?? 0) : points[v + k]
      positions[3 * i + k] = c
      if (cut) continue
      normals[4 * i + k] = Math.round(127 * normalOf[v + k])
      if (c < low[k]) low[k] = c
      if (c > high[k]) high[k] = c
    }
  }
  return { positions, normals, bounds: new Box3(new Vector3(...low), new Vector3(...high)) }
}

/** Unit normals, (N * 3): the sum of the surrounding triangles' normals, so larger triangles count more. */
export function vertexNormals(positions: Float32Array, faces: Uint32Array): Float32Array {
  const normals = new Float32Array(positions.length)
  const p = positions
  for (let f = 0; f < faces.length; f += 3) {
    const a = 3 * faces[f]
    const b = 3 * faces[f + 1]
    const c = 3 * faces[f + 2]
    const ux = p[b] - p[a]
    const uy = p[b + 1] - p[a + 1]
    const uz = p[b + 2] - p[a + 2]
    const vx = p[c] - p[a]
    const vy = p[c + 1] - p[a + 1]
    const vz = p[c + 2] - p[a + 2]
    const nx = uy * vz - uz * vy
    const ny = uz * vx - ux * vz
    const nz = ux * vy - uy * vx
    if (!Number.isFinite(nx + ny + nz)) continue
    for (let k = 0; k < 3; k++) {
      const v = k === 0 ? a : k === 1 ? b : c
      normals[v] += nx
      normals[v + 1] += ny
      normals[v + 2] += nz
    }
  }
  for (let v = 0; v < normals.length; v += 3) {
    const length = Math.hypot(normals[v], normals[v + 1], normals[v + 2]) || 1
    for (let k = 0; k < 3; k++) normals[v + k] /= length
  }
  return normals
}
