import type { PanelDef } from '../app/place.ts'
import KnockOutPanel from './KnockOutPanel.vue'
import ReconstructPanel from './ReconstructPanel.vue'
import { useReconstruction } from './store.ts'
import { setWords } from './data.ts'

/** The settings of the set that is shown. */
function shownWords(): string | undefined {
  const { set } = useReconstruction()
  return set && `n = ${set.trials.length}, ${setWords(set)}`
}

const shownSet: PanelDef['figure'] = () => {
  const { run, set } = useReconstruction()
  return run && set && { kind: 'reconstruction', source: { run: run.id, set: set.id } }
}

/** What is made of held-out trials, and what is left of it without some areas. */
export const reconstructionPanels: PanelDef[] = [
  { id: 'reconstruct', title: 'Reconstruct', component: ReconstructPanel, subtitle: shownWords, figure: shownSet },
  { id: 'knock-out', title: 'ROI knock-out', component: KnockOutPanel },
]
