import { Database } from 'lucide-vue-next'
import type { Place } from '../app/place.ts'
import { brain } from '../brain/index.ts'
import { count } from '../shared/format.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'
import { useImports } from './importsStore.ts'
import DataInspector from './DataInspector.vue'
import SubjectPanel from './SubjectPanel.vue'
import SubjectTree from './SubjectTree.vue'
import TrialsPanel from './TrialsPanel.vue'

const selected = () => useWorkspace().subjectOf(useSelection().subject)

/** What was measured: subjects, their checks, trials and pictures, and the way in for new data. */
export const data: Place = {
  id: 'data',
  title: 'Data',
  icon: Database,
  key: '1',
  panels: [
    {
      id: 'subject',
      title: 'Subject',
      component: SubjectPanel,
      subtitle: () => {
        if (useImports().isOpen) return 'new data'
        const subject = selected()
        return subject && `${subject.id}, ${subject.layoutTitle}`
      },
    },
    {
      id: 'trials',
      title: 'Trials',
      component: TrialsPanel,
      subtitle: () => {
        const subject = selected()
        return subject && `n = ${count(subject.trials)}, ${count(subject.images)} images`
      },
    },
    brain,
  ],
  layout: [
    { panel: 'subject' },
    { panel: 'brain', beside: 'subject', side: 'right', share: 0.58 },
    { panel: 'trials', beside: 'brain', side: 'below', share: 0.4 },
  ],
  tree: SubjectTree,
  inspector: DataInspector,
}

export { default as DemoButton } from './DemoButton.vue'
export { default as DropOverlay } from './DropOverlay.vue'
