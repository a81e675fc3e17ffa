import type { Random } from '../../nn/random.ts'
import { areaNames, patchNames, sampleAreas, visualField } from './areas.ts'
import type { AreaName, AreaPoint, PatchName, SheetSample } from './areas.ts'
import { brain, displayDegrees, tuning } from './constants.ts'
import type { Cortex, Hemisphere, Vec3 } from './cortex.ts'
import type { ReceptiveField } from './features.ts'

export interface Voxel {
  /** Centre in mm RAS. */
  position: Vec3
  /** Index into the volume, first axis (right) slowest: C order, the order of voxels in every layout. */
  index: number
  hemisphere: Hemisphere
  area: AreaName
  quarter?: AreaPoint['quarter']
  patch?: PatchName
  /** Retinotopic areas only; degrees. */
  eccentricity?: number
  elevation?: number
  field: ReceptiveField
}

/** A box of voxels: shape and 4 x 4 voxel-to-mm affine (row major). */
export interface Grid {
  shape: [number, number, number]
  affine: number[]
}

export interface VoxelSet {
  grid: Grid
  voxels: Voxel[]
}

/** Cuts the areas of both hemispheres into voxels. A voxel belongs to the area that most of its samples come from. */
export function makeVoxels(cortices: readonly Cortex[], random: Random): VoxelSet {
  const size = brain.voxelMm
  const cells = new Map<string, { at: Vec3; samples: SheetSample[] }>()
  for (const cortex of cortices)
    for (const sample of sampleAreas(cortex)) {
      const at = sample.position.map((mm) => Math.round(mm / size)) as Vec3
      const key = at.join(' ')
      const cell = cells.get(key)
      if (cell) cell.samples.push(sample)
      else cells.set(key, { at, samples: [sample] })
    }
  // A voxel that the sheet only grazes is mostly something else.
  const kept = [...cells.values()].filter((cell) => cell.samples.length >= 12)

  const margin = 3
  const low = [0, 1, 2].map((axis) => Math.min(...kept.map((cell) => cell.at[axis])) - margin) as Vec3
  const high = [0, 1, 2].map((axis) => Math.max(...kept.map((cell) => cell.at[axis])) + margin) as Vec3
  const shape = [0, 1, 2].map((axis) => high[axis] - low[axis] + 1) as Vec3
  const affine = [0, 1, 2].flatMap((axis) =>
    [0, 1, 2, 3].map((c) => (c === axis ? size : c === 3 ? low[axis] * size : 0)),
  )

  const voxels = kept
    .map(({ at, samples }) => {
      const [i, j, k] = at.map((value, axis) => value - low[axis])
      return { at, samples, index: (i * shape[1] + j) * shape[2] + k }
    })
    .sort((a, b) => a.index - b.index)
    .map(({ at, samples, index }) => describe(at.map((value) => value * size) as Vec3, index, samples, random))
  return { grid: { shape, affine: [...affine, 0, 0, 0, 1] }, voxels }
}

function describe(position: Vec3, index: number, samples: SheetSample[], random: Random): Voxel {
  const label = ({ hemisphere, point }: SheetSample): string => `${hemisphere} ${point.area} ${point.quarter}`
  const votes = new Map<string, SheetSample[]>()
  for (const sample of samples) votes.set(label(sample), [...(votes.get(label(sample)) ?? []), sample])
  const winners = [...votes.values()].reduce((best, list) => (list.length > best.length ? list : best))
  const { hemisphere, point } = winners[0]
  const mean = (value: (point: AreaPoint) => number): number =>
    winners.reduce((sum, sample) => sum + value(sample.point), 0) / winners.length
  const patch = patchNames.find((name) => mean((p) => (p.patch === name ? 1 : 0)) > 0.5)
  const base = { position, index, hemisphere, area: point.area, quarter: point.quarter, patch }
  if (point.area === 'ventral' || point.area === 'lateral') {
    // High-level areas see large, mostly contralateral and foveal parts of the field; no map is laid out.
    const [x, y] = [1.2 + random.normal(), random.normal()]
    const sd = 1.4 + random.uniform() * (displayDegrees / 4)
    return { ...base, field: { x: hemisphere === 'left' ? x : -x, y, sd } }
  }
  const eccentricity = mean((p) => p.eccentricity ?? 0)
  const elevation = mean((p) => p.elevation ?? 0)
  const { base: foveal, slope } = tuning.receptiveField[point.area]
  const field = { ...visualField(hemisphere, eccentricity, elevation), sd: foveal + slope * eccentricity }
  return { ...base, eccentricity, elevation, field }
}

/** A named voxel set; `mask` has one 0/1 per voxel. */
export interface NamedMask {
  name: string
  mask: Uint8Array
}

/** The named voxel sets of a subject. */
export function namedMasks(voxels: readonly Voxel[]): NamedMask[] {
  const named = (name: string, test: (voxel: Voxel) => boolean): NamedMask => ({
    name,
    mask: Uint8Array.from(voxels, (voxel) => Number(test(voxel))),
  })
  return [
    ...areaNames.map((name) => named(name, (voxel) => voxel.area === name)),
    ...patchNames.map((name) => named(name, (voxel) => voxel.patch === name)),
  ]
}
