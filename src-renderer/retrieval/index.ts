import { ScanSearch } from 'lucide-vue-next'
import type { PanelDef, Place } from '../app/place.ts'
import { brain } from '../brain/index.ts'
import { reconstructionPanels } from '../reconstruction/index.ts'
import { count } from '../shared/format.ts'
import { useSelection } from '../shared/selection.ts'
import DecodeInspector from './DecodeInspector.vue'
import DecodeTree from './DecodeTree.vue'
import GalleryPanel from './GalleryPanel.vue'
import MapPanel from './MapPanel.vue'
import RetrievePanel from './RetrievePanel.vue'
import { useRetrieval } from './store.ts'
import TrialGridPanel from './TrialGridPanel.vue'

/** `n = 982, split shipped`, of the run that is shown. */
function runWords(): string | undefined {
  const { facts } = useRetrieval()
  return (
    facts && `n = ${count(facts.rows)} ${facts.repeats === 'average' ? 'averaged' : 'single'}, split ${facts.split}`
  )
}

/** What the selected trial retrieves; what evenly spaced trials do. */
const shownTrials = () => retrievalFigure(useSelection().trial)
const allTrials = () => retrievalFigure()

function retrievalFigure(trial?: number): ReturnType<NonNullable<PanelDef['figure']>> {
  const run = useRetrieval().facts?.run
  return run === undefined
    ? undefined
    : { kind: 'retrieval', source: { run, trials: trial === undefined ? undefined : [trial] } }
}

const panels: PanelDef[] = [
  { id: 'retrieve', title: 'Retrieve', component: RetrievePanel, subtitle: runWords, figure: shownTrials },
  { id: 'retrieve-grid', title: 'All trials', component: TrialGridPanel, subtitle: runWords, figure: allTrials },
  { id: 'embedding', title: 'Embeddings', component: MapPanel, subtitle: runWords },
  { id: 'gallery', title: 'Gallery', component: GalleryPanel },
  ...reconstructionPanels,
  brain,
]

/** What a decoder says of trials that it never saw. */
export const decode: Place = {
  id: 'decode',
  title: 'Decode',
  icon: ScanSearch,
  key: '3',
  panels,
  layout: [
    { panel: 'retrieve' },
    { panel: 'reconstruct', beside: 'retrieve', side: 'within' },
    { panel: 'embedding', beside: 'retrieve', side: 'right', share: 0.42 },
    { panel: 'brain', beside: 'embedding', side: 'below', share: 0.5 },
    { panel: 'retrieve-grid', beside: 'retrieve', side: 'below', share: 0.36 },
    { panel: 'gallery', beside: 'retrieve-grid', side: 'within' },
    { panel: 'knock-out', beside: 'retrieve-grid', side: 'within' },
  ],
  tree: DecodeTree,
  inspector: DecodeInspector,
}
