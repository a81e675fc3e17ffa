import { Frame } from 'lucide-vue-next'
import type { Place } from '../app/place.ts'
import { counted } from '../shared/format.ts'
import FigureInspector from './FigureInspector.vue'
import FigureTree from './FigureTree.vue'
import PreflightPanel from './PreflightPanel.vue'
import SheetPanel from './SheetPanel.vue'
import { useFigures } from './store.ts'

/** The journal's measures, with the date of its rules. */
function sheetWords(): string | undefined {
  const { page, preset, laid } = useFigures()
  if (!page || !preset || !laid) return undefined
  const size = `${laid.width.toFixed(1)} x ${laid.height.toFixed(1)} mm`
  return [preset.title, size, preset.checked && `rules of ${preset.checked}`].filter(Boolean).join(', ')
}

function preflightWords(): string | undefined {
  const { problems, laid } = useFigures()
  return laid && (problems.length ? counted(problems.length, 'problem') : 'all hold')
}

/** Pages at their final size, from what the views show to files for a journal. */
export const figures: Place = {
  id: 'figures',
  title: 'Figures',
  icon: Frame,
  key: '5',
  panels: [
    { id: 'sheet', title: 'Page', component: SheetPanel, subtitle: sheetWords },
    { id: 'preflight', title: 'Preflight', component: PreflightPanel, subtitle: preflightWords },
  ],
  layout: [{ panel: 'sheet' }, { panel: 'preflight', beside: 'sheet', side: 'right', share: 0.28 }],
  tree: FigureTree,
  inspector: FigureInspector,
}
