/** A pair of folded, inflated and flat hemispheres of any size, to measure the brain view on: no anatomy, just as many vertices. */
import { icosphere } from '../../src-main/subjects/simulator/cortex.ts'

export interface SyntheticHemisphere {
  faces: Uint32Array // (F * 3)
  shapes: { white: Float32Array; pial: Float32Array; inflated: Float32Array; flat: Float32Array } // (N * 3), mm
  curvature: Float32Array // (N)
  voxelOf: Int32Array // (N)
}

/**
 * @param order 7 gives 163,842 vertices and 327,680 triangles, as many as a fine surface of the field's tools
 * @param voxels vertices are shared out among so many voxels by place; about a tenth has none
 */
export function syntheticHemisphere(side: 'left' | 'right', order: number, voxels: number): SyntheticHemisphere {
  const { directions, faces } = icosphere(order)
  const n = directions.length
  const sign = side === 'left' ? -1 : 1
  const shapes = {
    white: new Float32Array(3 * n),
    pial: new Float32Array(3 * n),
    inflated: new Float32Array(3 * n),
    flat: new Float32Array(3 * n),
  }
  const curvature = new Float32Array(n)
  const voxelOf = new Int32Array(n)
  const grid = Math.ceil(Math.cbrt(voxels / 0.5))
  for (let v = 0; v < n; v++) {
    const [x, y, z] = directions[v]
    const fold = folding(x, y, z)
    // Ellipsoid, flat towards the other hemisphere.
    const medial = x * sign < 0 ? 0.35 : 1
    const at = (depth: number): [number, number, number] => {
      const r = 1 + depth * fold
      return [sign * 4 + 32 * x * r * medial + (sign * 32 * (1 - medial)) / 3, 80 * y * r, 50 * z * r]
    }
    shapes.white.set(at(0.07), 3 * v)
    shapes.pial.set(at(0.11), 3 * v)
    shapes.inflated.set([30 * x * medial, 82 * y, 52 * z], 3 * v)
    // Seen from the lateral side, unrolled around its middle; cut open at the medial one.
    const angle = Math.acos(Math.max(-1, Math.min(1, sign * x)))
    const radius = 45 * angle
    const around = Math.hypot(y, z) || 1
    shapes.flat.set(angle > 2.5 ? [NaN, NaN, NaN] : [(sign * radius * y) / around, (radius * z) / around, 0], 3 * v)
    curvature[v] = -fold
    const cell = [x, y, z].map((c) => Math.min(grid - 1, Math.floor(((c + 1) / 2) * grid)))
    const id = (cell[2] * grid + cell[1]) * grid + cell[0]
    voxelOf[v] = z < -0.8 ? -1 : (id + (side === 'left' ? 0 : voxels >> 1)) % voxels
  }
  return { faces, shapes, curvature, voxelOf }
}

/** Gyri and sulci of a kind: a few waves of different directions, -1 to 1. */
function folding(x: number, y: number, z: number): number {
  const wave = (a: number, b: number, c: number, phase: number) => Math.sin(a * x + b * y + c * z + phase)
  const sum = wave(9, 11, 5, 0) + wave(-7, 6, 12, 1) + wave(12, -9, 7, 2) + wave(4, 14, -10, 3) + wave(16, 3, 15, 5)
  return Math.tanh(0.8 * sum)
}
