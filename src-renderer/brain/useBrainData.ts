/** Follows the shared selection: the subject's brain, the list of maps, and the numbers of the map that is shown. */
import { computed, shallowRef, watch } from 'vue'
import { useLoaded } from '../shared/reload.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'
import { subjectBrain, type MapInfo, type MapValues, type SubjectBrain } from './data.ts'
import { scaleOf } from './scales.ts'
import { defaultOutlines, useBrain } from './store.ts'

export function useBrainData() {
  const selection = useSelection()
  const workspace = useWorkspace()
  const store = useBrain()

  const subjectKey = computed(() => {
    const subject = workspace.subjectOf(selection.subject)
    // Surfaces may come later, in place of others.
    return subject && JSON.stringify([subject.id, `${subject.added} ${subject.surfaces?.attached ?? ''}`])
  })
  const brain = useLoaded<string, SubjectBrain>(
    () => subjectKey.value,
    (key) => subjectBrain(...(JSON.parse(key) as [string, string])),
  )

  /** Of the brain that is here: while the next one is on its way, everything still belongs to this one. */
  const brainKey = computed(() => brain.value && `${brain.value.subject} ${brain.value.info.version}`)

  // A run that ends brings maps of its own.
  const finished = computed(
    () => workspace.runs.filter((run) => run.subject === selection.subject && run.state === 'done').length,
  )
  const listed = useLoaded<string, MapInfo[]>(
    () => brainKey.value && `${brainKey.value} ${finished.value}`,
    (_, signal) => brain.value!.mapList(signal),
  )
  const overlays = computed(() => store.overlays.filter(({ subject }) => subject === selection.subject))
  watch(
    [() => listed.value, overlays],
    ([list, own]) => {
      if (!list) return
      store.maps = [
        ...list,
        ...own.map(({ id, title, unit, signed }) => ({ id: `overlay:${id}`, title, unit, signed })),
      ]
    },
    { immediate: true },
  )

  const roi = computed(() => selection.roi ?? brain.value?.info.rois[0]?.name)
  /** What of the selection the map depends on, and is not selected. */
  const missing = computed(() => {
    const needs = store.mapInfo?.needs
    if (needs === 'trial' && selection.trial === undefined) return 'trial'
    if (needs === 'run' && selection.run === undefined) return 'run'
    if (needs === 'roi' && roi.value === undefined) return 'roi'
    return undefined
  })
  const choice = computed(() => {
    const info = store.mapInfo
    if (!brain.value || !info || missing.value) return undefined
    const { trial, run } = selection
    const needed = { trial: { trial }, run: { run }, roi: { roi: roi.value } }
    return JSON.stringify({
      brain: brainKey.value,
      id: info.id,
      choice: info.needs ? needed[info.needs] : {},
      parts: overlays.value.find((one) => `overlay:${one.id}` === info.id)?.parts, // grow with the other hemisphere's file
    })
  })
  const shown = useLoaded<string, MapValues>(
    () => choice.value,
    (text) => {
      const { id, choice } = JSON.parse(text) as { id: string; choice: { trial?: number; run?: string; roi?: string } }
      const overlay = overlays.value.find((one) => `overlay:${one.id}` === id)
      if (overlay) return brain.value!.overlay(overlay)
      return brain.value!.map(id, choice)
    },
  )

  /** Limits belong to the map, whatever its trial. */
  const scaleKey = computed(() => `${brainKey.value} ${store.mapId}`)
  const remade = shallowRef(0)
  watch(
    [() => shown.value, () => store.colouring, remade],
    ([values]) => {
      store.scale = values && scaleOf(scaleKey.value, values, store.mapId ? store.colouring[store.mapId] : undefined)
      store.detail = values?.detail ?? ''
    },
    { immediate: true },
  )

  const masks = useLoaded<string, Uint8Array>(
    () => (brain.value?.info.rois.length ? brainKey.value : undefined),
    () => brain.value!.masks(),
  )
  const outlined = computed(() => {
    const info = brain.value?.info
    if (!info) return []
    const wanted = store.outlines ?? defaultOutlines(info.rois, info.voxels)
    return info.rois.flatMap((one, index) => (wanted.includes(one.name) ? [{ ...one, index }] : []))
  })

  return { brain, listed, shown, missing, masks, outlined, scaleKey, remakeScale: () => remade.value++ }
}
