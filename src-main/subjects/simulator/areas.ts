import { brain } from './constants.ts'
import { subtract } from './cortex.ts'
import type { Cortex, Hemisphere, Vec3 } from './cortex.ts'

/** Visual areas, each with its own tuning; together they are the 'nsdgeneral' of the simulated subject. */
export const areaNames = ['V1', 'V2', 'V3', 'hV4', 'ventral', 'lateral'] as const
export type AreaName = (typeof areaNames)[number]

/** Category-preferring patches: FFA and PPA inside ventral, EBA inside lateral. */
export const patchNames = ['FFA', 'PPA', 'EBA'] as const
export type PatchName = (typeof patchNames)[number]

/** The area at a point of the sheet. */
export interface AreaPoint {
  area: AreaName
  /** Dorsal (lower field) or ventral (upper field) quarter of V1, V2 and V3. */
  quarter?: 'dorsal' | 'ventral'
  patch?: PatchName
  /** Retinotopic areas: degrees from fixation, and elevation above the horizontal meridian, -90 to 90 degrees. */
  eccentricity?: number
  elevation?: number
}

/** Place on the sheet's chart around the occipital pole: mm towards medial and mm towards dorsal. */
export interface ChartPoint {
  medial: number
  dorsal: number
}

/** Direction at angle `theta` from the occipital pole, in azimuth `alpha` (0 lateral, pi/2 dorsal, pi medial). */
function chartDirection(theta: number, alpha: number): Vec3 {
  return [Math.sin(theta) * Math.cos(alpha), -Math.cos(theta), Math.sin(theta) * Math.sin(alpha)]
}

/** Chart point of a direction: length of the way from the occipital pole over the smooth hemisphere, and azimuth. */
export function chart(cortex: Cortex, u: Vec3, steps = 12): ChartPoint {
  const theta = Math.acos(Math.min(1, Math.max(-1, -u[1])))
  const alpha = Math.atan2(u[2], u[0])
  let rho = 0
  let before = cortex.smooth([0, -1, 0])
  for (let i = 1; i <= steps; i++) {
    const here = cortex.smooth(chartDirection((theta * i) / steps, alpha))
    rho += Math.hypot(...subtract(here, before))
    before = here
  }
  return { medial: -rho * Math.cos(alpha), dorsal: rho * Math.sin(alpha) }
}

/** Width in mm that grows from `from` at the fovea to `to` in the periphery. */
const fan = (medial: number, from: number, to: number): number => from + (to - from) * (1 - Math.exp(-medial / 12))

const extents = { early: 31, hV4: 24 }

/**
 * The area at a chart point: V1 in the calcarine sulcus, V2 and V3 as bands around it whose polar angle reverses at each
 * border, hV4 below, ventral and lateral cortex in front. Magnification is logarithmic (Horton and Hoyt 1991).
 */
export function areaAt({ medial, dorsal }: ChartPoint): AreaPoint | undefined {
  if (medial >= 0 && medial <= extents.early) {
    const eccentricity = 0.75 * (Math.exp(medial / 15.5) - 1)
    const quarter = dorsal >= 0 ? 'dorsal' : 'ventral'
    // The upper bank (dorsal) sees the lower field.
    const lower = dorsal >= 0 ? -1 : 1
    const away = Math.abs(dorsal)
    const v1 = fan(medial, 2.5, 10)
    const v2 = v1 + fan(medial, 2, 7)
    const v3 = v2 + fan(medial, 2, 6)
    if (away <= v1) return { area: 'V1', quarter, eccentricity, elevation: (lower * 90 * away) / v1 }
    if (away <= v2) return { area: 'V2', quarter, eccentricity, elevation: lower * 90 * (1 - (away - v1) / (v2 - v1)) }
    if (away <= v3) return { area: 'V3', quarter, eccentricity, elevation: (lower * 90 * (away - v2)) / (v3 - v2) }
    const v4 = v3 + fan(medial, 4, 11)
    if (quarter === 'ventral' && away <= v4 && medial <= extents.hV4)
      return {
        area: 'hV4',
        eccentricity: 0.75 * (Math.exp(medial / 12) - 1),
        elevation: 90 - (180 * (away - v3)) / (v4 - v3),
      }
  }
  const rho = Math.hypot(medial, dorsal)
  const alpha = (Math.atan2(dorsal, -medial) * 180) / Math.PI
  if (alpha > -130 && alpha < -56 && rho >= 39 && rho <= 55)
    return { area: 'ventral', patch: patchAt(medial, dorsal, ['FFA', 'PPA']) }
  if (alpha > -32 && alpha < 34 && rho >= 18 && rho <= 41)
    return { area: 'lateral', patch: patchAt(medial, dorsal, ['EBA']) }
  return undefined
}

/** Centres (distance from the pole in mm, azimuth in degrees) and radius of the patches. */
const patches = { FFA: [46, -74], PPA: [49, -112], EBA: [33, 2] } as const
const patchRadius = 7

function patchAt(medial: number, dorsal: number, names: readonly PatchName[]): PatchName | undefined {
  return names.find((name) => {
    const [rho, alpha] = patches[name]
    const radians = (alpha * Math.PI) / 180
    return Math.hypot(medial + rho * Math.cos(radians), dorsal - rho * Math.sin(radians)) <= patchRadius
  })
}

/** Visual field position of a retinotopic point: degrees right and up of fixation; a hemisphere sees the opposite half. */
export function visualField(hemisphere: Hemisphere, eccentricity: number, elevation: number): { x: number; y: number } {
  const radians = (elevation * Math.PI) / 180
  const contralateral = hemisphere === 'left' ? 1 : -1
  return { x: contralateral * eccentricity * Math.cos(radians), y: eccentricity * Math.sin(radians) }
}

/** One place where the grey sheet of an area passes through, in mm RAS. */
export interface SheetSample {
  position: Vec3
  hemisphere: Hemisphere
  point: AreaPoint
}

/** Samples the grey matter of all areas, on the chart every `step` mm and at five depths from white to pial. */
export function* sampleAreas(cortex: Cortex, step = brain.voxelMm / 3): Generator<SheetSample> {
  const reach = 60
  const longest = Math.max(...brain.semiAxes)
  const azimuths = Math.ceil((2 * Math.PI * reach) / step)
  for (let a = 0; a < azimuths; a++) {
    const alpha = ((a + 0.5) / azimuths) * 2 * Math.PI - Math.PI
    let rho = 0
    let theta = 0
    let before = cortex.smooth([0, -1, 0])
    let kept = -1
    while (rho < reach) {
      theta += (0.4 * step) / longest
      const u = chartDirection(theta, alpha)
      const here = cortex.smooth(u)
      rho += Math.hypot(...subtract(here, before))
      before = here
      if (rho - kept < step) continue
      // Rings near the pole hold fewer azimuths: skip those that would fall closer than a step to their neighbour.
      const stride = Math.max(1, Math.floor(reach / Math.max(rho, step)))
      kept = rho
      if (a % stride) continue
      const point = areaAt({ medial: -rho * Math.cos(alpha), dorsal: rho * Math.sin(alpha) })
      if (!point) continue
      const { white, pial } = cortex.at(u)
      for (const depth of [0.1, 0.3, 0.5, 0.7, 0.9]) {
        const position: Vec3 = [0, 1, 2].map((i) => white[i] + depth * (pial[i] - white[i])) as Vec3
        yield { position, hemisphere: cortex.hemisphere, point }
      }
    }
  }
}
