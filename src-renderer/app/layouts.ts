import type { DockviewApi } from 'dockview-vue'
import { defineStore } from 'pinia'
import { markRaw, shallowRef } from 'vue'
import { sendJson } from '../shared/api.ts'
import { recall } from '../shared/session.ts'
import { toast } from '../shared/toasts.ts'
import type { Place } from './place.ts'

type Layout = ReturnType<DockviewApi['toJSON']>

const SAVE_MS = 500

/** How the tiles of the place in sight lie: kept by itself from one visit to the next, and under names. */
export const useLayouts = defineStore('layouts', () => {
  const dock = shallowRef<DockviewApi>()
  const place = shallowRef<Place>()
  const named = shallowRef<Record<string, Layout>>({})
  let timer = 0

  /** Fills a dock with the panels of its place as they lay last, and follows it until `leave`; `isGone` says that this came too late. */
  async function enter(api: DockviewApi, its: Place, isGone: () => boolean) {
    const [kept, names] = await Promise.all([
      recall<Layout>(`layout-${its.id}`).catch(() => undefined),
      recall<Record<string, Layout>>(`layouts-${its.id}`).catch(() => undefined),
    ])
    // Its user was faster and is elsewhere.
    if (isGone()) return
    dock.value = markRaw(api)
    place.value = its
    named.value = names ?? {}
    if (!restore(kept)) reset()
    api.onDidLayoutChange(() => {
      window.clearTimeout(timer)
      timer = window.setTimeout(() => {
        timer = 0
        void keep('layout', api.toJSON())
      }, SAVE_MS)
    })
  }

  function leave(api: DockviewApi | undefined) {
    if (dock.value !== api) return
    window.clearTimeout(timer)
    if (timer) void keep('layout', api!.toJSON())
    timer = 0
    dock.value = place.value = undefined
    named.value = {}
  }

  const keep = (kind: 'layout' | 'layouts', value: object) =>
    place.value && sendJson('PUT', `state/${kind}-${place.value.id}`, value).catch(() => {})

  /** A kept layout, unless it is of a version with other panels. */
  function restore(kept: Layout | undefined): boolean {
    const ids = Object.keys(kept?.panels ?? {})
    if (!ids.length || ids.some((id) => !place.value!.panels.some((panel) => panel.id === id))) return false
    try {
      dock.value!.fromJSON(kept!)
      return true
    } catch {
      return false
    }
  }

  /** The tiles as the place has them at first. */
  function reset() {
    if (!dock.value || !place.value) return
    dock.value.clear()
    placePanels(dock.value, place.value)
  }

  /** Brings a panel of the place in sight: to the front, out from behind one at full size, or back from having been closed. */
  function show(id: string) {
    const api = dock.value
    if (!api) return
    const panel = api.getPanel(id)
    if (api.hasMaximizedGroup() && panel?.group !== api.activePanel?.group) api.exitMaximizedGroup()
    if (panel) panel.api.setActive()
    else {
      const title = place.value!.panels.find((one) => one.id === id)?.title
      api.addPanel({ id, component: id, title, position: { direction: 'right' } })
    }
  }

  function save(name: string) {
    named.value = { ...named.value, [name]: dock.value!.toJSON() }
    void keep('layouts', named.value)
    toast(`Kept the layout as ${name}`)
  }

  function open(name: string) {
    if (!restore(named.value[name])) toast(`The layout ${name} is of a version with other panels`)
  }

  return { dock, place, named, enter, leave, reset, show, save, open }
})

/** Puts the panels of a place as it says. */
function placePanels(dock: DockviewApi, place: Place): void {
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
      inactive: side === 'within', // a tab behind the one that is there
      ...(reference && { position: { referencePanel: beside!, direction: side } }),
      ...(reference &&
        share &&
        side !== 'within' &&
        (isAcross ? { initialWidth: width * share } : { initialHeight: height * share })),
    })
  }
  const first = place.layout[0]
  if (first) dock.getPanel(first.panel)?.api.setActive()
}
