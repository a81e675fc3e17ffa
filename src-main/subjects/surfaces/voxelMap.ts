import { invertAffine } from '../../base/affine.ts'
import type { HemisphereMesh, Side } from './hemisphere.ts'
import { PointGrid } from './pointGrid.ts'

/** Where the voxels of a subject are. */
export interface VoxelPlaces {
  /** (V, 3) centres in mm */
  positions: Float32Array
  volume?: { shape: readonly number[]; affine: readonly number[] }
}

export interface VoxelMap {
  /** (N) by hemisphere: the voxel that a vertex shows, -1 for none. */
  voxels: Partial<Record<Side, Int32Array<ArrayBuffer>>>
  /** (V, 2): hemisphere (0 left, 1 right, -1 none) and vertex that lies nearest to each voxel. */
  vertices: Int32Array<ArrayBuffer>
}

/** Voxels and vertices of each other; `layers` of the meshes and `places` are in one space. */
export function mapVoxels(meshes: Partial<Record<Side, HemisphereMesh>>, places: VoxelPlaces): VoxelMap {
  const { positions } = places
  const spacing = places.volume ? voxelSize(places.volume.affine) : spacingOf(positions)
  const find = places.volume
    ? cellFinder(voxelGrid(positions, places.volume), places.volume)
    : nearestFinder(positions, (spacing * Math.sqrt(3)) / 2)
  const map: VoxelMap = { voxels: {}, vertices: new Int32Array((positions.length / 3) * 2).fill(-1) }
  const distances = new Float64Array(positions.length / 3).fill(Infinity)
  for (const [side, mesh] of Object.entries(meshes) as [Side, HemisphereMesh][]) {
    const { layers } = mesh
    // A mesh of nothing but an inflated shape is nowhere in the volume.
    if (!layers.length) continue
    const middle = layers[Math.floor(layers.length / 2)]
    const voxels = new Int32Array(middle.length / 3)
    for (let p = 0; p < voxels.length; p++) voxels[p] = find(middle[3 * p], middle[3 * p + 1], middle[3 * p + 2])
    map.voxels[side] = voxels
    nearestVertices(layers, positions, spacing * Math.sqrt(3), (voxel, vertex, distance) => {
      if (distance >= distances[voxel]) return
      distances[voxel] = distance
      map.vertices[2 * voxel] = side === 'left' ? 0 : 1
      map.vertices[2 * voxel + 1] = vertex
    })
  }
  return map
}

/**
 * (V, 3) grid indices of voxel centres. Throws a RangeError for a matrix that cannot be inverted: the import has checked it.
 */
export function voxelGrid(
  positions: Float32Array,
  { affine }: NonNullable<VoxelPlaces['volume']>,
): Int32Array<ArrayBuffer> {
  const back = invertAffine(affine)
  if (!back) throw new RangeError('the voxel-to-mm matrix cannot be inverted')
  const out = new Int32Array(positions.length)
  for (let p = 0; p < positions.length; p += 3)
    for (let r = 0; r < 3; r++)
      out[p + r] = Math.round(along(back, r, positions[p], positions[p + 1], positions[p + 2]))
  return out
}

const along = (m: readonly number[], r: number, x: number, y: number, z: number): number =>
  m[4 * r] * x + m[4 * r + 1] * y + m[4 * r + 2] * z + m[4 * r + 3]

/** The voxel whose cell holds a place. */
function cellFinder(grid: Int32Array, { shape, affine }: NonNullable<VoxelPlaces['volume']>) {
  const [nx, ny, nz] = shape
  const back = invertAffine(affine)!
  const voxelAt = new Int32Array(nx * ny * nz).fill(-1)
  for (let v = 0; v < grid.length / 3; v++) {
    const [i, j, k] = grid.subarray(3 * v, 3 * v + 3)
    if (i >= 0 && i < nx && j >= 0 && j < ny && k >= 0 && k < nz) voxelAt[(i * ny + j) * nz + k] = v
  }
  return (x: number, y: number, z: number): number => {
    const [i, j, k] = [0, 1, 2].map((r) => Math.round(along(back, r, x, y, z)))
    return i >= 0 && i < nx && j >= 0 && j < ny && k >= 0 && k < nz ? voxelAt[(i * ny + j) * nz + k] : -1
  }
}

/** Without a grid, the nearest centre, if it is as near as a voxel's corner would be. */
function nearestFinder(positions: Float32Array, reach: number) {
  const grid = new PointGrid(positions, reach)
  return (x: number, y: number, z: number): number => grid.nearest(x, y, z, reach).index
}

/** The longest edge of a voxel, mm. */
const voxelSize = (affine: readonly number[]): number =>
  Math.max(...[0, 1, 2].map((c) => Math.hypot(affine[c], affine[4 + c], affine[8 + c])))

/** How far voxels lie apart where only their centres are known: the median distance to the nearest other. */
function spacingOf(positions: Float32Array): number {
  const V = positions.length / 3
  const step = Math.max(1, Math.floor(V / 200))
  const nearest: number[] = []
  for (let a = 0; a < V; a += step) {
    let best = Infinity
    for (let b = 0; b < V; b++) {
      const square = [0, 1, 2].reduce((sum, c) => sum + (positions[3 * a + c] - positions[3 * b + c]) ** 2, 0)
      if (square > 0 && square < best) best = square
    }
    if (Number.isFinite(best)) nearest.push(Math.sqrt(best))
  }
  return nearest.sort((a, b) => a - b)[nearest.length >> 1] ?? 1
}

/** For each voxel the vertex whose sheet, at any depth, passes nearest, within `reach`. */
function nearestVertices(
  layers: readonly Float32Array[],
  positions: Float32Array,
  reach: number,
  found: (voxel: number, vertex: number, distance: number) => void,
): void {
  const N = layers[0].length / 3
  const points = new Float32Array(layers.length * N * 3)
  layers.forEach((layer, i) => points.set(layer, i * N * 3))
  const grid = new PointGrid(points, reach)
  for (let v = 0; v < positions.length / 3; v++) {
    const { index, distance } = grid.nearest(positions[3 * v], positions[3 * v + 1], positions[3 * v + 2], reach)
    if (index >= 0) found(v, index % N, distance)
  }
}
