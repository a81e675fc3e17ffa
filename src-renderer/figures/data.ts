import type {
  FigureDocument,
  Finding,
  JournalPreset,
  LaidPage,
  ListedPage,
  Panel,
} from '../../src-main/api/routes/figures.ts'
import type { Format } from '../../src-main/figures/presets.ts'
import { getJson, request, sendJson } from '../shared/api.ts'

export type { FigureDocument, Finding, Format, JournalPreset, LaidPage, ListedPage, Panel }
export type PanelKind = Panel['kind']
export type PresetId = FigureDocument['preset']
export type TemplateName = 'overview' | 'retrieval' | 'reconstruction' | 'metrics' | 'methods' | 'cortex' | 'insights'

/** What a view puts on a page: a kind of panel and where its data come from. */
export type PanelContent = { [K in PanelKind]: Pick<Extract<Panel, { kind: K }>, 'kind' | 'source'> }[PanelKind]

export const formats: readonly Format[] = ['pdf', 'svg', 'png', 'tiff']

/** How each kind of panel is called, and how many of twelve columns it takes at first. */
export const kinds: Record<PanelKind, { title: string; columns: number }> = {
  retrieval: { title: 'Retrieved images', columns: 12 },
  reconstruction: { title: 'Seen and reconstructed', columns: 12 },
  scores: { title: 'Scores', columns: 6 },
  comparison: { title: 'Methods compared', columns: 6 },
  cortex: { title: 'Cortex', columns: 12 },
  ranks: { title: 'Seen image’s rank', columns: 3 },
  training: { title: 'Training', columns: 3 },
  insights: { title: 'Experiment', columns: 6 },
}

const pagePath = (id: string) => `figures/pages/${encodeURIComponent(id)}`

export const loadPages = (signal: AbortSignal) => getJson<ListedPage[]>('figures', signal)
export const loadPresets = (signal: AbortSignal) => getJson<JournalPreset[]>('figures/presets', signal)
export const loadPage = (id: string) => getJson<FigureDocument>(pagePath(id))
export const savePage = (id: string, page: FigureDocument) => sendJson('PUT', pagePath(id), page)
export const deletePage = (id: string) => sendJson('DELETE', pagePath(id))

export const templatePage = (name: TemplateName, preset: PresetId, run?: string) =>
  sendJson<FigureDocument>('POST', 'figures/template', { name, preset, run })

export const frozenPanel = (page: FigureDocument, panel: string) =>
  sendJson<Panel>('POST', 'figures/freeze', { page, panel })

const post = (path: string, body: unknown, signal?: AbortSignal) =>
  request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal })

export const layPage = async (page: FigureDocument, format: Format, signal: AbortSignal): Promise<LaidPage> =>
  (await (await post('figures/lay', { page, format }, signal)).json()) as LaidPage

/** The figure in a format with its source data and where it comes from, as a zip. */
export const writtenPage = async (page: FigureDocument, format: Format): Promise<Blob> =>
  (await post('figures/file', { page, format })).blob()
