import { zipSync } from 'fflate'
import { Hono } from 'hono'
import type { Context } from 'hono'
import * as v from 'valibot'
import {
  buildPage,
  frozenPanel,
  pagePreflight,
  PanelCache,
  provenanceOf,
  sourceData,
} from '../../actions/figures/pages.ts'
import { templateNames, templatePage } from '../../actions/figures/templates.ts'
import { MindEyeError } from '../../base/errors.ts'
import { parseDocument } from '../../figures/document.ts'
import type { FigureDocument, Panel } from '../../figures/document.ts'
import { columnGrid, marginOf } from '../../figures/page.ts'
import type { Finding } from '../../figures/preflight/index.ts'
import { formats, journalPreset, journalPresets, presetIds } from '../../figures/presets.ts'
import type { JournalPreset } from '../../figures/presets.ts'
import { POINTS_PER_MM } from '../../figures/scene.ts'
import type { Box } from '../../figures/scene.ts'
import { FigurePages } from '../../figures/store.ts'
import type { ListedPage } from '../../figures/store.ts'
import { writeFigure } from '../../figures/write.ts'
import { writeSvg } from '../../figures/writeSvg.ts'
import { bodyOf } from '../body.ts'
import type { Services } from '../services.ts'

export type { FigureDocument, Finding, JournalPreset, ListedPage, Panel }

/** A page as the screen shows it; lengths in mm. */
export interface LaidPage {
  /** The very scene that files are made of. */
  svg: string
  width: number
  height: number
  /** The twelve columns. */
  columns: { x: number; width: number }[]
  panels: {
    id: string
    letter: string
    box: Box
    /** Frozen, and its source has changed since. */
    stale: boolean
    problem?: string
    /** As a reader must be told, unless the page has another one. */
    caption: string
  }[]
  findings: Finding[]
}

/** Pictures on the screen: sharp at twice the size of the paper on an ordinary display. */
const SCREEN_DPI = 192

const pageBody = v.object({ page: v.unknown(), format: v.picklist(formats) })
const templateBody = v.object({
  name: v.picklist(templateNames),
  preset: v.picklist(presetIds),
  run: v.optional(v.string()),
})
const panelBody = v.object({ page: v.unknown(), panel: v.string() })

/** Pages of figures: kept, laid for the screen, written as files. What they show is gathered when they are laid. */
export const figureRoutes = ({ workspace, ctx }: Services) => {
  const pages = new FigurePages(workspace.path)
  const cache = new PanelCache()
  const noStore = { 'Cache-Control': 'no-store' }
  const placeOf = (c: Context) => ({ ctx, workspace, options: { signal: c.req.raw.signal, progress: () => {} } })
  const idOf = (c: Context) => c.req.param('id')!
  const inMm = ({ x, y, width, height }: Box): Box => {
    const [left, top, across, down] = [x, y, width, height].map((length) => length / POINTS_PER_MM)
    return { x: left, y: top, width: across, height: down }
  }

  return new Hono()
    .get('/', (c) => c.json<ListedPage[]>(pages.list(), 200, noStore))
    .get('/presets', (c) => c.json<JournalPreset[]>([...journalPresets]))
    .get('/pages/:id', (c) => c.json<FigureDocument>(pages.read(idOf(c)), 200, noStore))
    .put('/pages/:id', async (c) => {
      pages.write(idOf(c), parseDocument(await c.req.json(), 'the page'))
      return c.json({})
    })
    .delete('/pages/:id', (c) => {
      pages.remove(idOf(c))
      return c.json({})
    })
    .post('/template', async (c) => {
      const { name, ...options } = await bodyOf(c, templateBody)
      return c.json<FigureDocument>(templatePage(workspace, name, options))
    })
    .post('/lay', async (c) => {
      const { page: given, format } = await bodyOf(c, pageBody)
      const page = parseDocument(given, 'the page')
      const built = await buildPage(placeOf(c), cache, page)
      const { scene, panels } = built
      const { width, height } = inMm({ x: 0, y: 0, width: scene.width, height: scene.height })
      return c.json<LaidPage>({
        svg: await writeSvg(scene, { dpi: SCREEN_DPI, text: 'live' }),
        ...{ width, height },
        columns: columnGrid(scene.width, marginOf(page)).map((column) => ({
          x: column.x / POINTS_PER_MM,
          width: column.width / POINTS_PER_MM,
        })),
        panels: scene.panels.map(({ id, letter, box }, i) => {
          const state = panels[i]
          return {
            ...{ id, letter, box: inMm(box), stale: state.stale },
            ...('problem' in state ? { problem: state.problem, caption: '' } : { caption: state.gathered.caption }),
          }
        }),
        findings: pagePreflight(page, built, { format, dpi: journalPreset(page.preset).dpi.used }),
      })
    })
    .post('/freeze', async (c) => {
      const { page, panel } = await bodyOf(c, panelBody)
      const { panels } = parseDocument(page, 'the page')
      const found = panels.find(({ id }) => id === panel)
      if (found) return c.json<Panel>(await frozenPanel(placeOf(c), cache, found))
      const expected = `one of ${panels.map(({ id }) => id).join(', ')}`
      throw new MindEyeError({ kind: 'input', where: 'panel', expected, found: `'${panel}'` })
    })
    .post('/file', async (c) => {
      const { page: given, format } = await bodyOf(c, pageBody)
      const page = parseDocument(given, 'the page')
      const built = await buildPage(placeOf(c), cache, page)
      const provenance = provenanceOf(page, built, new Date())
      const figure = await writeFigure(built.scene, format, journalPreset(page.preset).dpi.used, provenance)
      const name = fileName(page.title)
      const utf8 = (text: string) => new TextEncoder().encode(text)
      const files = {
        [`${name}.${format}`]: figure,
        [`${name}.provenance.json`]: utf8(`${JSON.stringify(provenance, undefined, 2)}\n`),
        ...Object.fromEntries(sourceData(built).map(({ id, csv }) => [`${name}.${id}.csv`, utf8(csv)])),
      }
      // The figure is packed as it is: its pictures are compressed already.
      const zip = zipSync(files, { level: 1 })
      return new Response(new Uint8Array(zip), { headers: { ...noStore, 'Content-Type': 'application/zip' } })
    })
}

/** A title as a name of files that every system takes. */
const fileName = (title: string): string => title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'figure'
