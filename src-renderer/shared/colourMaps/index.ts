/** Colour maps as data: 256 colours each, exported from matplotlib and Crameri's Scientific colour maps. */
import batlow from '../../../resources/colourMaps/batlow.json' with { type: 'json' }
import cividis from '../../../resources/colourMaps/cividis.json' with { type: 'json' }
import inferno from '../../../resources/colourMaps/inferno.json' with { type: 'json' }
import RdBu_r from '../../../resources/colourMaps/RdBu_r.json' with { type: 'json' }
import romaO from '../../../resources/colourMaps/romaO.json' with { type: 'json' }
import twilight from '../../../resources/colourMaps/twilight.json' with { type: 'json' }
import viridis from '../../../resources/colourMaps/viridis.json' with { type: 'json' }
import vik from '../../../resources/colourMaps/vik.json' with { type: 'json' }

/** What a map is made for: values around zero, values from zero up, or angles (its ends meet). */
export type ColourMapKind = 'signed' | 'positive' | 'angle'

export interface ColourMap {
  name: string
  kind: ColourMapKind
  /** 256 × (red, green, blue), sRGB bytes. */
  table: Uint8Array
}

const load = (file: { name: string; kind: string; table: number[] }): ColourMap => ({
  name: file.name,
  kind: file.kind as ColourMapKind,
  table: Uint8Array.from(file.table),
})

/** In the order in which they are offered; the first of a kind is its default. */
export const COLOUR_MAPS: readonly ColourMap[] = [RdBu_r, vik, inferno, viridis, cividis, batlow, twilight, romaO].map(
  load,
)

/** The map called `name`; an unknown name (of an old scene file, say) gives the default for values from zero up. */
export const colourMap = (name: string): ColourMap =>
  COLOUR_MAPS.find((map) => map.name === name) ?? COLOUR_MAPS.find((map) => map.name === 'inferno')!
