import type { DockviewApi } from 'dockview-vue'
import type { Place } from './place.ts'

export const layoutKey = (place: string): string => `layout-${place}`

/** Puts the panels of a place as it says. */
export function placePanels(dock: DockviewApi, place: Place): void {
  for (const { panel: id, beside, side = 'right', share } of place.layout) {
    const def = place.panels.find((panel) => panel.id === id)
    if (!def) throw new Error(`${place.id} has no panel ${id}`)
    const reference = beside === undefined ? undefined : dock.getPanel(beside)
    const { width, height } = reference?.api ?? dock
    const isAcross = side === 'left' || side === 'right'
    dock.addPanel({
      id,
      component: id,
      title: def.title,
      ...(reference && { position: { referencePanel: beside!, direction: side } }),
      inactive: side === 'within', // a tab behind the one that is there
      ...(reference &&
        share &&
        side !== 'within' &&
        (isAcross ? { initialWidth: width * share } : { initialHeight: height * share })),
    })
  }
  const first = place.layout[0]
  if (first) dock.getPanel(first.panel)?.api.setActive()
}
