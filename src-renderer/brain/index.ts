import type { PanelDef } from '../app/place.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'
import BrainPanel from './BrainPanel.vue'
import { useBrain } from './store.ts'

/** Maps that a page of figures paints too, as long as they are shown in the colours that it has. */
function shownMap(): ReturnType<NonNullable<PanelDef['figure']>> {
  const { subject, run } = useSelection()
  const { mapId, scale } = useBrain()
  const hasSurfaces = useWorkspace().subjectOf(subject)?.surfaces
  if (!subject || !hasSurfaces || scale?.map !== 'inferno' || scale.threshold !== 0) return undefined
  const limits: [number, number] = [scale.limits[0], scale.limits[1]]
  if (mapId === 'noise-ceiling') return { kind: 'cortex', source: { subject, map: mapId, limits } }
  return mapId === 'weights' && run ? { kind: 'cortex', source: { subject, map: mapId, run, limits } } : undefined
}

/** The cortex and what is mapped on it, for any place. */
export const brain: PanelDef = {
  id: 'brain',
  title: 'Brain',
  component: BrainPanel,
  subtitle: () => {
    const { subject } = useSelection()
    const { scale } = useBrain()
    return subject && [subject, scale?.title].filter(Boolean).join(', ')
  },
  figure: shownMap,
}
