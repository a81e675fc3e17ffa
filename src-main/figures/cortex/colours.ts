import inferno from '../../../resources/colourMaps/inferno.json' with { type: 'json' }
import RdBu_r from '../../../resources/colourMaps/RdBu_r.json' with { type: 'json' }
import type { Image } from '../../formats/images.ts'

/** Names of the maps that figures use: values from zero up, values around zero. */
const maps = { inferno, RdBu_r }
export type ColourMapName = keyof typeof maps

const COLOURS = 256

/** sRGB bytes of a value, the first colour at the lower limit and the last at the upper; undefined for a missing value. */
export function colourOf(map: ColourMapName, [lower, upper]: readonly [number, number]) {
  const { table } = maps[map]
  return (value: number): readonly [number, number, number] | undefined => {
    if (!Number.isFinite(value)) return undefined
    const row = Math.max(0, Math.min(COLOURS - 1, Math.floor(((value - lower) / (upper - lower)) * COLOURS)))
    return [table[3 * row], table[3 * row + 1], table[3 * row + 2]]
  }
}

/** All colours from left to right, for a colour bar. */
export const colourStrip = (map: ColourMapName): Image => ({
  width: COLOURS,
  height: 1,
  channels: 3,
  data: Uint8Array.from(maps[map].table),
})

/** Limits for values nobody has chosen limits for: the 99th percentile to two digits, from zero up or symmetric. */
export function limitsFor(values: Float32Array, signed: boolean): [number, number] {
  const sizes = values.filter(Number.isFinite).map(Math.abs).sort()
  const top = sizes[Math.round(0.99 * (sizes.length - 1))] || 1
  const unit = 10 ** (Math.floor(Math.log10(top)) - 1)
  const upper = Number((Math.ceil(Number((top / unit).toPrecision(6))) * unit).toPrecision(2))
  return [signed ? -upper : 0, upper]
}
