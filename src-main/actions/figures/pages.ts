import { toMindEyeError } from '../../base/failure.ts'
import { pageWidth } from '../../figures/document.ts'
import type { FigureDocument, Panel } from '../../figures/document.ts'
import { layPage } from '../../figures/page.ts'
import type { PanelContent } from '../../figures/page.ts'
import { artOf } from '../../figures/panels/index.ts'
import { preflight } from '../../figures/preflight/index.ts'
import type { Finding, PreflightInput } from '../../figures/preflight/index.ts'
import { journalPreset } from '../../figures/presets.ts'
import { figureProvenance } from '../../figures/provenance.ts'
import type { FigureProvenance } from '../../figures/provenance.ts'
import type { Scene } from '../../figures/scene.ts'
import { FigurePages } from '../../figures/store.ts'
import { writeCsv } from '../../figures/write.ts'
import { fingerprintOf, gather } from './gather.ts'
import type { Gathered, GatherPlace } from './gather.ts'

/** A panel as it is now; `stale`: it is frozen, and its source has since changed. */
export type PanelState = { id: string; stale: boolean } & ({ gathered: Gathered } | { problem: string })

export interface BuiltPage {
  scene: Scene
  panels: PanelState[]
}

/** Data of panels by what they were asked, for as long as their sources stay as they are: a page that changes asks for new ones only. */
export class PanelCache {
  private readonly kept = new Map<string, Promise<Gathered>>()

  get(place: GatherPlace, panel: Panel, fingerprint: string): Promise<Gathered> {
    const found = this.kept.get(fingerprint)
    if (found) {
      this.kept.delete(fingerprint)
      this.kept.set(fingerprint, found)
      return found
    }
    const made = gather(place, panel)
    this.kept.set(fingerprint, made)
    made.catch(() => this.kept.delete(fingerprint))
    if (this.kept.size > MOST_KEPT) this.kept.delete(this.kept.keys().next().value!)
    return made
  }
}

const MOST_KEPT = 60

/** Gathers what a page shows and lays it. A panel without data says why in its place. */
export async function buildPage(place: GatherPlace, cache: PanelCache, page: FigureDocument): Promise<BuiltPage> {
  const panels = await Promise.all(page.panels.map((panel) => panelState(place, cache, panel)))
  const contents = panels.map((state): [string, PanelContent] => [
    state.id,
    'gathered' in state ? { data: state.gathered.data } : { problem: state.problem },
  ])
  return { scene: layPage(page, new Map(contents)), panels }
}

async function panelState(place: GatherPlace, cache: PanelCache, panel: Panel): Promise<PanelState> {
  const { id, frozen } = panel
  try {
    if (frozen) {
      const gathered = new FigurePages(place.workspace.path).kept(frozen.data) as Gathered
      return { id, stale: isStale(place, panel), gathered }
    }
    return { id, stale: false, gathered: await cache.get(place, panel, fingerprintOf(place.workspace, panel)) }
  } catch (error) {
    if (place.options.signal.aborted) throw error
    return { id, stale: false, problem: toMindEyeError(error).message }
  }
}

/** Whether the source of a frozen panel is no longer what it was; one that is gone says nothing new. */
function isStale({ workspace }: GatherPlace, panel: Panel): boolean {
  try {
    return fingerprintOf(workspace, panel) !== panel.frozen!.fingerprint
  } catch {
    return false
  }
}

/** The panel with its present data kept in the workspace. Throws what its source has to say against it. */
export async function frozenPanel(place: GatherPlace, cache: PanelCache, panel: Panel): Promise<Panel> {
  const fingerprint = fingerprintOf(place.workspace, panel)
  const gathered = await cache.get(place, panel, fingerprint)
  const data = new FigurePages(place.workspace.path).keep(gathered)
  return { ...panel, frozen: { at: new Date().toISOString(), fingerprint, data } }
}

/** What speaks against a built page in a format. */
export const pagePreflight = (
  page: FigureDocument,
  { scene, panels }: BuiltPage,
  file: Pick<PreflightInput, 'format' | 'dpi' | 'bytes'>,
): Finding[] =>
  preflight({
    ...{ scene, preset: journalPreset(page.preset), widthMm: pageWidth(page), ...file },
    withoutData: panels.flatMap((panel) => ('problem' in panel ? [panel] : [])),
  })

/** Where a built page comes from. */
export const provenanceOf = (page: FigureDocument, { scene, panels }: BuiltPage, made: Date): FigureProvenance =>
  figureProvenance(
    page,
    page.panels.flatMap((panel, i) => {
      const state = panels[i]
      if (!('gathered' in state)) return []
      const { provenance, caption } = state.gathered
      const { letter } = scene.panels[i]
      return [
        {
          ...{ panel: panel.id, letter, kind: panel.kind, caption: panel.caption ?? caption },
          ...(panel.frozen && { frozen: panel.frozen.at }),
          ...provenance,
        },
      ]
    }),
    made,
  )

/** The numbers behind every panel, by its id. */
export const sourceData = ({ panels }: BuiltPage): { id: string; csv: string }[] =>
  panels.flatMap((state) => {
    if (!('gathered' in state)) return []
    const { data } = state.gathered
    return [{ id: state.id, csv: writeCsv(artOf(data).table(data)) }]
  })
