import { ChartScatter } from 'lucide-vue-next'
import type { PanelDef, Place } from '../app/place.ts'
import DistributionPanel from './DistributionPanel.vue'
import EvaluateInspector from './EvaluateInspector.vue'
import EvaluateTree from './EvaluateTree.vue'
import InsightsPanel from './InsightsPanel.vue'
import { useInsights } from './insightsStore.ts'
import PairedPanel from './PairedPanel.vue'
import { parseKey } from './rows.ts'
import ScatterPanel from './ScatterPanel.vue'
import ScoresPanel from './ScoresPanel.vue'
import { useEvaluation } from './store.ts'

/** The row whose images are shown, with n. */
function focusWords(): string | undefined {
  const evaluation = useEvaluation()
  const row = evaluation.ownRows.find(({ key }) => key === evaluation.focused)
  return row && `${row.name}, n ${row.cells.pixcorr?.n ?? 0}`
}

/** Whose experiments are shown. */
const insightWords = () => useInsights().subject
const shownExperiment: PanelDef['figure'] = () => {
  const { current, measured } = useInsights()
  const job = current?.done?.id
  return job === undefined ? undefined : { kind: 'insights', source: { job, measure: measured?.id } }
}

/** Of the run whose row is in focus. */
function ofRun(kind: 'scores' | 'ranks'): ReturnType<NonNullable<PanelDef['figure']>> {
  const { focused, shown } = useEvaluation()
  const key = focused ?? shown[0]
  return key === undefined ? undefined : { kind, source: { run: parseKey(key).run } }
}

/** Several runs side by side, or the one that is shown. */
function shownRuns(): ReturnType<NonNullable<PanelDef['figure']>> {
  const runs = [...new Set(useEvaluation().shown.map((key) => parseKey(key).run))]
  return runs.length > 1 ? { kind: 'comparison', source: { runs } } : ofRun('scores')
}

const panels: PanelDef[] = [
  { id: 'scores', title: 'Scores', component: ScoresPanel, figure: shownRuns },
  { id: 'scatter', title: 'Images', component: ScatterPanel, subtitle: focusWords },
  { id: 'distributions', title: 'Distributions', component: DistributionPanel, figure: () => ofRun('ranks') },
  { id: 'paired', title: 'Trial by trial', component: PairedPanel },
  { id: 'insights', title: 'Insights', component: InsightsPanel, subtitle: insightWords, figure: shownExperiment },
]

/** What decoders are worth: scores beside published ones, image by image, and against each other. */
export const evaluate: Place = {
  id: 'evaluate',
  title: 'Evaluate',
  icon: ChartScatter,
  key: '4',
  panels,
  layout: [
    { panel: 'scores' },
    { panel: 'scatter', beside: 'scores', side: 'below', share: 0.5 },
    { panel: 'paired', beside: 'scatter', side: 'right', share: 0.5 },
    { panel: 'distributions', beside: 'scatter', side: 'within' },
    { panel: 'insights', beside: 'scores', side: 'within' },
  ],
  tree: EvaluateTree,
  inspector: EvaluateInspector,
}
