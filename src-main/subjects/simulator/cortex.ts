import type { Random } from '../../nn/random.ts'
import { brain } from './constants.ts'

export type Hemisphere = 'left' | 'right'
export type Vec3 = [number, number, number]

/** Surfaces of one hemisphere at one place; mm, RAS (right, anterior, superior). */
export interface SurfacePoint {
  white: Vec3
  pial: Vec3
  inflated: Vec3
  /** Height of the cortex above the smooth shape in units of the fold depth: +1 crown of a gyrus, -1 floor of a sulcus. */
  height: number
}

/**
 * A folded cortical sheet in closed form: a direction on the unit sphere in, points of the surfaces out. Hence any mesh
 * resolution shows the same brain, and voxels can be placed without a mesh. Folds are a sum of plane waves of one
 * wavelength over the smooth shape (which gives the labyrinth of gyri), squared off to crowns and floors; landmarks
 * (calcarine sulcus, lateral fissure, temporal lobe) are set by hand and the same in every subject.
 */
export class Cortex {
  readonly hemisphere: Hemisphere
  private readonly waves: { k: Vec3; phase: number }[]
  private readonly warps: { k: Vec3; phase: number; shift: Vec3 }[]

  constructor(random: Random, hemisphere: Hemisphere) {
    this.hemisphere = hemisphere
    const stream = random.split('folds', hemisphere)
    const wave = (length: number): { k: Vec3; phase: number } => {
      const direction = unit([stream.normal(), stream.normal(), stream.normal()])
      return { k: scale(direction, (2 * Math.PI) / length), phase: 2 * Math.PI * stream.uniform() }
    }
    this.waves = Array.from({ length: 48 }, () => wave(brain.foldMm * (0.85 + 0.3 * stream.uniform())))
    this.warps = Array.from({ length: 6 }, () => ({
      ...wave(70),
      shift: scale(unit([stream.normal(), stream.normal(), stream.normal()]), 3),
    }))
  }

  /** Side on which lateral lies: +1 right, -1 left. */
  get sign(): number {
    return this.hemisphere === 'right' ? 1 : -1
  }

  /**
   * The smooth hemisphere at unit direction `u` = (lateral, anterior, superior).
   * Local frame, mm: lateral is +x in both hemispheres, the origin is the hemisphere's centre.
   */
  smooth(u: Vec3): Vec3 {
    const [a, b, c] = brain.semiAxes
    // The medial half is flattened to a wall: half as deep, with zero slope at its middle.
    const x = u[0] >= 0 ? a * u[0] : (a / 2) * u[0] * (2 + u[0])
    const temporal = Math.exp(-((u[0] - 0.62) ** 2 + (u[1] - 0.38) ** 2 + (u[2] + 0.68) ** 2) / 0.16)
    const orbital = Math.exp(-((u[0] - 0.25) ** 2 + (u[1] - 0.86) ** 2 + (u[2] + 0.45) ** 2) / 0.14)
    const taper = 1 - 0.12 * Math.max(0, -u[1]) ** 2
    const z = c * u[2] * taper - 13 * temporal + 15 * orbital + 4 * u[1] ** 2 - 2
    return [x * taper + 6 * temporal, b * u[1] + 10 * temporal - 5 * orbital, z]
  }

  /** Folding at direction `u`, whose smooth point is `p`: +1 crown, -1 floor. */
  private foldHeight(u: Vec3, p: Vec3): number {
    const q: Vec3 = [p[0], p[1], p[2]]
    for (const { k, phase, shift } of this.warps) {
      const s = Math.sin(dot(k, p) + phase)
      for (let i = 0; i < 3; i++) q[i] += s * shift[i]
    }
    let sum = 0
    for (const { k, phase } of this.waves) sum += Math.cos(dot(k, q) + phase)
    let height = sum / Math.sqrt(this.waves.length / 2)
    // Calcarine sulcus: along the medial wall from the occipital pole.
    const calcarine = Math.exp(-((brain.semiAxes[2] * u[2]) ** 2) / 40) * ramp(-p[1], 30, 45) * ramp(-u[0], -0.25, -0.1)
    height -= 2.6 * calcarine
    // Lateral fissure: from above the temporal pole backwards and up.
    const fissure = ramp(p[0], 14, 24) * ramp(p[1], -34, -22) * ramp(-p[1], -52, -44)
    height -= 5 * fissure * Math.exp(-((p[2] + 8 + 0.35 * p[1]) ** 2) / 16)
    return Math.tanh(1.1 * (height + 0.2))
  }

  private pialPoint(u: Vec3): { pial: Vec3; smooth: Vec3; height: number } {
    const smooth = this.smooth(u)
    const height = this.foldHeight(u, smooth)
    const [a, b, c] = brain.semiAxes
    const outward = unit([u[0] / a, u[1] / b, u[2] / c])
    // The medial wall stays shallow so that the hemispheres do not touch.
    const depth = brain.foldDepth * (u[0] < 0 ? 1 - 0.35 * Math.min(1, -2 * u[0]) : 1)
    const reach = depth * height - (height < 0 ? 0.5 * depth * height * height : 0)
    return { pial: add(smooth, scale(outward, reach)), smooth, height }
  }

  /** Surfaces at unit direction `u` = (lateral, anterior, superior), in mm RAS. */
  at(u: Vec3): SurfacePoint {
    const { pial, smooth, height } = this.pialPoint(u)
    // Two tangents by finite differences give the sheet's normal.
    const helper: Vec3 = Math.abs(u[1]) < 0.9 ? [0, 1, 0] : [1, 0, 0]
    const e1 = unit(cross(u, helper))
    const e2 = cross(u, e1)
    const step = 0.004
    const t1 = subtract(this.pialPoint(unit(add(u, scale(e1, step)))).pial, pial)
    const t2 = subtract(this.pialPoint(unit(add(u, scale(e2, step)))).pial, pial)
    let normal = unit(cross(t1, t2))
    if (dot(normal, u) < 0) normal = scale(normal, -1)
    const white = subtract(pial, scale(normal, brain.thickness))
    return { white: this.toWorld(white), pial: this.toWorld(pial), inflated: this.toWorld(smooth), height }
  }

  private toWorld(p: Vec3): Vec3 {
    return [this.sign * (p[0] + brain.offset), p[1], p[2]]
  }
}

/** Triangles over the unit sphere: an icosahedron cut `level` times, 10 * 4^level + 2 vertices (level 7: 163,842). */
export function icosphere(level: number): { directions: Vec3[]; faces: Uint32Array } {
  const g = (1 + Math.sqrt(5)) / 2
  const directions: Vec3[] = [
    [-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g],
    [0, -1, -g], [0, 1, -g], [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1],
  ].map((v) => unit(v as Vec3)) // prettier-ignore
  let faces = [
    0, 11, 5, 0, 5, 1, 0, 1, 7, 0, 7, 10, 0, 10, 11, 1, 5, 9, 5, 11, 4, 11, 10, 2, 10, 7, 6, 7, 1, 8,
    3, 9, 4, 3, 4, 2, 3, 2, 6, 3, 6, 8, 3, 8, 9, 4, 9, 5, 2, 4, 11, 6, 2, 10, 8, 6, 7, 9, 8, 1,
  ] // prettier-ignore
  for (let l = 0; l < level; l++) {
    const middles = new Map<number, number>()
    const middle = (i: number, j: number): number => {
      const key = Math.min(i, j) * 0x4000000 + Math.max(i, j)
      let index = middles.get(key)
      if (index === undefined) {
        index = directions.push(unit(add(directions[i], directions[j]))) - 1
        middles.set(key, index)
      }
      return index
    }
    const finer: number[] = []
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [faces[f], faces[f + 1], faces[f + 2]]
      const [ab, bc, ca] = [middle(a, b), middle(b, c), middle(c, a)]
      finer.push(a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca)
    }
    faces = finer
  }
  return { directions, faces: Uint32Array.from(faces) }
}

/** 0 below `from`, 1 above `to`, smooth between. */
function ramp(value: number, from: number, to: number): number {
  const t = Math.min(1, Math.max(0, (value - from) / (to - from)))
  return t * t * (3 - 2 * t)
}

export const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
export const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
export const subtract = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
export const scale = (a: Vec3, s: number): Vec3 => [a[0] * s, a[1] * s, a[2] * s]
export const cross = (a: Vec3, b: Vec3): Vec3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
]
export const unit = (a: Vec3): Vec3 => scale(a, 1 / Math.hypot(...a))
