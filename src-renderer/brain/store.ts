/** What of the brain is shown, and how: ids and numbers only. */
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { useHistory } from '../shared/history.ts'
import type { ColourScale } from '../shared/colourScale.ts'
import type { OverlayFacts } from '../../src-main/api/overlays.ts'
import type { MapInfo } from './data.ts'

/** How one map is coloured; what is undefined is chosen for the map. */
export interface Colouring {
  map?: string
  limits?: [number, number]
  threshold: number
}

/** A camera's state as plain numbers. */
export interface PlainView {
  orientation: number[]
  target: number[]
  height: number
  open: number
}

export const useBrain = defineStore('brain', () => {
  /** Id of the map that was chosen; where there is no such map, `mapId` is another one. */
  const chosenMap = ref<string>()
  /** By id of the map. */
  const colouring = ref<Record<string, Colouring>>({})
  /** 0 white, 1 pial, 2 inflated, 3 flat. */
  const morph = ref(2)
  const left = ref(true)
  const right = ref(true)
  /** Names of outlined ROIs; undefined: those that `defaultOutlines` picks. */
  const outlines = ref<string[]>()
  const parcellation = ref<string>()
  const labels = ref(true)
  /** Whether slices are shown; undefined: where there are no surfaces. */
  const slices = ref<boolean>()
  const view = ref<PlainView>()
  /** Files shown on a cortex, for as long as the app runs. */
  const overlays = shallowRef<(OverlayFacts & { subject: string })[]>([])
  /** For other panels: what is shown now, e.g. for a subtitle. */
  const scale = shallowRef<ColourScale>()
  const detail = ref('')
  const maps = shallowRef<readonly MapInfo[]>([])

  const mapInfo = computed(() => maps.value.find(({ id }) => id === chosenMap.value) ?? firstMap(maps.value))
  const mapId = computed({ get: () => mapInfo.value?.id, set: (id) => (chosenMap.value = id) })

  function colour(changes: Partial<Colouring>) {
    if (!mapId.value) return
    const now = colouring.value[mapId.value] ?? { threshold: 0 }
    colouring.value = { ...colouring.value, [mapId.value]: { ...now, ...changes } }
  }

  function toggleHemisphere(side: 'left' | 'right') {
    const [own, other] = side === 'left' ? [left, right] : [right, left]
    own.value = !own.value
    if (!own.value && !other.value) other.value = true // one is always there
  }

  useHistory().include('brain', {
    chosenMap,
    colouring,
    morph,
    left,
    right,
    outlines,
    parcellation,
    labels,
    slices,
    view,
  })
  return {
    chosenMap,
    mapId,
    colouring,
    morph,
    left,
    right,
    outlines,
    parcellation,
    labels,
    slices,
    view,
    overlays,
    scale,
    detail,
    maps,
    mapInfo,
    colour,
    toggleHemisphere,
  }
})

/** What is shown at first: how well voxels can be predicted at all, else the first map that needs nothing selected. */
function firstMap(maps: readonly MapInfo[]): MapInfo | undefined {
  const free = maps.filter(({ needs }) => !needs)
  return free.find(({ id }) => id === 'noise-ceiling') ?? free[0] ?? maps[0]
}

/** The ROIs outlined at first: not those made of others, and no more than can be told apart. */
export function defaultOutlines(rois: readonly { name: string; voxels: number }[], voxels: number): string[] {
  return rois
    .filter((roi) => roi.voxels > 0 && roi.voxels < 0.25 * voxels)
    .map(({ name }) => name)
    .slice(0, 12)
}
