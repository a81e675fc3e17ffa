import type { Image } from '../../formats/images.ts'
import { categorySpace, displayDegrees, world } from './constants.ts'
import { groups, kindGroups, kinds } from './kinds.ts'
import type { Group } from './kinds.ts'
import { Random } from '../../nn/random.ts'
import type { Scene } from './scenes.ts'

/** Channels of the feature maps: 2 scales x 4 orientations of edge energy, 3 opponent colours, occupancy by objects. */
export const channels = { edges: [0, 8], colour: [8, 11], layout: [11, 12], count: 12 } as const

/** Grid sides at which the maps are kept: 64 / 2, / 4, / 8. */
const sides = [32, 16, 8]

/** What the simulated brain knows of one image. */
export interface Features {
  /** Maps (12, side, side) for each of the three sides, rows from the top. */
  maps: Float32Array[]
  /** Each object's category vector, extent and place. `x`, `y` in degrees from fixation, right and up positive. */
  objects: { category: Float32Array; extent: number; x: number; y: number }[]
}

/**
 * Known features of a 64 x 64 scene: orientation energies from Sobel gradients at two scales, luminance and opponent colours,
 * object occupancy, and the category vectors of its objects. None of it comes from a trained network.
 */
export function sceneFeatures(scene: Scene, image: Image): Features {
  const { side } = world
  const [red, green, blue] = [0, 1, 2].map((c) =>
    Float32Array.from({ length: side * side }, (_, i) => image.data[i * 3 + c] / 255),
  )
  const light = red.map((r, i) => 0.3 * r + 0.59 * green[i] + 0.11 * blue[i])
  const half = side / 2
  const [yellow, grey] = [red.map((r, i) => (r + green[i]) / 2), 0.6]
  const planes = [
    ...edgeEnergies(light, side).map((map) => halve(map, side)),
    ...edgeEnergies(halve(light, side), half),
    halve(
      light.map((l) => l - grey),
      side,
    ),
    halve(
      red.map((r, i) => r - green[i]),
      side,
    ),
    halve(
      blue.map((b, i) => b - yellow[i]),
      side,
    ),
    occupancy(scene, half),
  ]
  const levels = [planes]
  for (let level = 1; level < sides.length; level++)
    levels.push(levels[level - 1].map((map) => halve(map, sides[level - 1])))
  const degrees = displayDegrees / side
  const objects = scene.objects.map((o) => ({
    category: categoryVectors[o.kind],
    extent: o.size / 46,
    x: (o.x + o.size / 2 - side / 2) * degrees,
    y: -(o.y + o.size / 2 - side / 2) * degrees,
  }))
  return { maps: levels.map(stack), objects }
}

function stack(planes: Float32Array[]): Float32Array {
  const out = new Float32Array(planes.length * planes[0].length)
  planes.forEach((plane, k) => out.set(plane, k * plane.length))
  return out
}

/** Means over 2 x 2 blocks. */
function halve(map: Float32Array, side: number): Float32Array<ArrayBuffer> {
  const half = side / 2
  const out = new Float32Array(half * half)
  for (let y = 0; y < half; y++)
    for (let x = 0; x < half; x++) {
      const i = 2 * y * side + 2 * x
      out[y * half + x] = (map[i] + map[i + 1] + map[i + side] + map[i + side + 1]) / 4
    }
  return out
}

/** Gradient magnitude by Sobel, shared out to four edge orientations (0, 45, 90, 135 degrees). */
function edgeEnergies(light: Float32Array<ArrayBuffer>, side: number): Float32Array[] {
  const energies = Array.from({ length: 4 }, () => new Float32Array(side * side))
  for (let y = 0; y < side; y++) {
    const [above, row, below] = [Math.max(0, y - 1) * side, y * side, Math.min(side - 1, y + 1) * side]
    for (let x = 0; x < side; x++) {
      const [left, right] = [Math.max(0, x - 1), Math.min(side - 1, x + 1)]
      const fall = light[below + right] - light[above + left]
      const rise = light[above + right] - light[below + left]
      const gx = fall + rise + 2 * (light[row + right] - light[row + left])
      const gy = fall - rise + 2 * (light[below + x] - light[above + x])
      const square = gx * gx + gy * gy
      if (square < 1e-8) continue
      const magnitude = Math.sqrt(square) / 4
      // max(0, cos 2(angle - preferred)) for preferred gradient directions of 0, 45, 90 and 135 degrees
      const cosine = (gx * gx - gy * gy) / square
      const sine = (2 * gx * gy) / square
      energies[cosine > 0 ? 0 : 2][row + x] = magnitude * Math.abs(cosine)
      energies[sine > 0 ? 1 : 3][row + x] = magnitude * Math.abs(sine)
    }
  }
  return energies
}

/** 1 where an object is (as a disc), 0 elsewhere. */
function occupancy(scene: Scene, side: number): Float32Array {
  const scale = world.side / side
  const map = new Float32Array(side * side)
  for (const { x, y, size } of scene.objects)
    for (let i = 0; i < map.length; i++) {
      const [px, py] = [((i % side) + 0.5) * scale, (Math.floor(i / side) + 0.5) * scale]
      if (Math.hypot(px - x - size / 2, py - y - size / 2) <= size / 2) map[i] = 1
    }
  return map
}

/** Unit vectors of the kinds; kinds of one group, and groups of one realm, lie nearer to each other. Fixed for all subjects. */
const { categoryVectors, groupVectors } = makeCategorySpace()
export { groupVectors }

function makeCategorySpace(): { categoryVectors: Float32Array[]; groupVectors: Record<Group, Float32Array> } {
  const random = new Random(categorySpace.seed)
  const draw = (label: string): Float32Array => {
    const stream = random.split(label)
    return unit(Float32Array.from({ length: categorySpace.dimensions }, () => stream.normal()))
  }
  const mixed = (parts: [number, Float32Array][]): Float32Array =>
    unit(parts[0][1].map((_, i) => parts.reduce((sum, [share, vector]) => sum + Math.sqrt(share) * vector[i], 0)))
  const { group, realm } = categorySpace
  const vectors = {} as Record<Group, Float32Array>
  for (const name of Object.keys(groups) as Group[])
    vectors[name] = mixed([
      [realm / group, draw(groups[name].realm)],
      [1 - realm / group, draw(name)],
    ])
  return {
    groupVectors: vectors,
    categoryVectors: kinds.map((kind, i) =>
      mixed([
        [group, vectors[kindGroups[i]]],
        [1 - group, draw(kind)],
      ]),
    ),
  }
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

/** A Gaussian receptive field: centre and SD in degrees. */
export interface ReceptiveField {
  x: number
  y: number
  sd: number
}

/** A receptive field as weights on one of the map grids; weights sum to 1 over the grid's plane (less where it leaves the display). */
export interface Pooling {
  level: number
  pixels: Int32Array
  weights: Float32Array
}

/** Samples a receptive field on the coarsest grid that still resolves it. */
export function makePooling(field: ReceptiveField): Pooling {
  let level = 0
  while (level < sides.length - 1 && (field.sd * sides[level + 1]) / displayDegrees >= 0.9) level++
  const side = sides[level]
  const pitch = displayDegrees / side
  const [cx, cy] = [(field.x + displayDegrees / 2) / pitch - 0.5, (displayDegrees / 2 - field.y) / pitch - 0.5]
  const sd = Math.max(field.sd / pitch, 0.4)
  const pixels: number[] = []
  const weights: number[] = []
  const reach = 2.3 * sd
  for (let y = Math.max(0, Math.ceil(cy - reach)); y <= Math.min(side - 1, cy + reach); y++)
    for (let x = Math.max(0, Math.ceil(cx - reach)); x <= Math.min(side - 1, cx + reach); x++) {
      pixels.push(y * side + x)
      weights.push(Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sd * sd)) / (2 * Math.PI * sd * sd))
    }
  return { level, pixels: Int32Array.from(pixels), weights: Float32Array.from(weights) }
}

/** Means of channels `[from, to)` under a receptive field, into `out` (12). */
export function pool(
  maps: Float32Array[],
  { level, pixels, weights }: Pooling,
  from: number,
  to: number,
  out: Float64Array,
): void {
  const map = maps[level]
  const area = sides[level] ** 2
  for (let c = from; c < to; c++) {
    let sum = 0
    for (let p = 0; p < pixels.length; p++) sum += weights[p] * map[c * area + pixels[p]]
    out[c] = sum
  }
}
