import { Activity } from 'lucide-vue-next'
import type { Place } from '../app/place.ts'
import { counted, runName } from '../shared/format.ts'
import BatchPanel from './BatchPanel.vue'
import { configOf } from './compareRuns.ts'
import ComparePanel from './ComparePanel.vue'
import ConfigPanel from './ConfigPanel.vue'
import CurvesPanel from './CurvesPanel.vue'
import LogPanel from './LogPanel.vue'
import RunInspector from './RunInspector.vue'
import RunsPanel from './RunsPanel.vue'
import { useTraining } from './store.ts'
import TrainTree from './TrainTree.vue'

/** The run that a panel is about, with its subject and split. */
const about = (): string | undefined => {
  const run = useTraining().current
  return run && `${runName(run)}, ${run.subject}, split ${configOf(run).split ?? 'unknown'}`
}

/** From options to a decoder: start a training, watch it, compare it with others. */
export const train: Place = {
  id: 'train',
  title: 'Train',
  icon: Activity,
  key: '2',
  panels: [
    {
      id: 'curves',
      title: 'Curves',
      component: CurvesPanel,
      subtitle: () => counted(useTraining().shownRuns.length, 'run'),
      figure: () => {
        const run = useTraining().current
        return run?.state === 'done' ? { kind: 'training', source: { run: run.id } } : undefined
      },
    },
    { id: 'config', title: 'New training', component: ConfigPanel },
    { id: 'batch', title: 'Batch', component: BatchPanel, subtitle: about },
    { id: 'runs', title: 'Runs', component: RunsPanel },
    { id: 'compare', title: 'Compare', component: ComparePanel },
    { id: 'train-log', title: 'Log', component: LogPanel, subtitle: about },
  ],
  layout: [
    { panel: 'curves' },
    { panel: 'runs', beside: 'curves', side: 'below', share: 0.3 },
    { panel: 'config', beside: 'curves', side: 'right', share: 0.46 },
    { panel: 'batch', beside: 'curves', side: 'within' },
    { panel: 'compare', beside: 'runs', side: 'within' },
    { panel: 'train-log', beside: 'runs', side: 'within' },
  ],
  tree: TrainTree,
  inspector: RunInspector,
}
