/** Which ColourScale a map is shown with. */
import { autoLimits, ColourScale } from '../shared/colourScale.ts'
import type { MapValues } from './data.ts'
import type { Colouring } from './store.ts'

/** Limits chosen for a map stay while its trials go by: the same colour means the same number. */
const chosen = new Map<string, [number, number]>()

/** @param key of the subject and map, whatever the trial */
export function limitsOf(key: string, shown: Pick<MapValues, 'values' | 'signed'>): [number, number] {
  let limits = chosen.get(key)
  if (!limits) chosen.set(key, (limits = autoLimits(shown.values, shown.signed)))
  return limits
}

/** Chooses anew from the next values that are shown. */
export const forgetLimits = (key: string) => chosen.delete(key)

export function scaleOf(key: string, shown: MapValues, colouring: Colouring | undefined): ColourScale {
  const { title, unit, signed } = shown
  return new ColourScale({
    map: colouring?.map ?? (signed ? 'RdBu_r' : 'inferno'),
    limits: colouring?.limits ?? limitsOf(key, shown),
    threshold: colouring?.threshold ?? 0,
    title,
    unit,
    signed,
  })
}
