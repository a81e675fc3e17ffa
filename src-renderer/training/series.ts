/** How a run's curve looks: one of four hues, solid for the first four and dashed for the next. */
export interface SeriesStyle {
  /** The CSS variable with its colour. */
  hue: string
  dashed: boolean
}

const HUES = 4
const SLOTS = 2 * HUES

export const styleOf = (slot: number): SeriesStyle => ({
  hue: `--series-${(slot % HUES) + 1}`,
  dashed: slot % SLOTS >= HUES,
})

/**
 * Slots of the runs that are shown. A run keeps the slot it once had unless another one that is shown has taken it meanwhile; a new one gets
 * the first that is free. More than eight share slots.
 */
export function assignSlots(shown: readonly string[], known: Readonly<Record<string, number>>): Record<string, number> {
  const slots = { ...known }
  const taken = new Set<number>()
  for (const run of shown) {
    if (slots[run] === undefined || taken.has(slots[run])) {
      const later = shown.slice(shown.indexOf(run) + 1).flatMap((id) => (id in known ? [known[id]] : []))
      const free = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => !taken.has(slot))
      slots[run] = free.find((slot) => !later.includes(slot)) ?? free[0] ?? 0
    }
    taken.add(slots[run])
  }
  return slots
}
