import type { PanelDef } from '../app/place.ts'
import { useSelection } from '../shared/selection.ts'
import BrainPanel from './BrainPanel.vue'
import { useBrain } from './store.ts'

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
}
