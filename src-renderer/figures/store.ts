import { defineStore } from 'pinia'
import { computed, markRaw, ref, watch } from 'vue'
import { toProblem, type Problem } from '../shared/api.ts'
import { useHistory } from '../shared/history.ts'
import { useLoaded } from '../shared/reload.ts'
import { toast } from '../shared/toasts.ts'
import { useWorkspace } from '../shared/workspace.ts'
import * as data from './data.ts'
import type { FigureDocument, Format, Panel, PanelContent, PresetId, TemplateName } from './data.ts'

const SAVE_MS = 400
const COLUMNS = 12

/** The Figures place: the page that is open, what is selected on it, how it looks at its final size. */
export const useFigures = defineStore('figures', () => {
  const workspace = useWorkspace()

  const id = ref<string>()
  const page = ref<FigureDocument>()
  /** Id of a panel. */
  const selected = ref<string>()
  const format = ref<Format>('pdf')
  const hasGuides = ref(false)
  /** What went wrong with a page as a whole. */
  const problem = ref<Problem>()
  useHistory().include('figures', { id, page })

  const pages = useLoaded(
    () => workspace.ready || undefined,
    (_ready, signal) => data.loadPages(signal),
  )
  const presetsLoaded = useLoaded(
    () => workspace.ready || undefined,
    (_ready, signal) => data.loadPresets(signal),
  )
  const presets = computed(() => presetsLoaded.value ?? [])
  const preset = computed(() => presets.value.find((one) => one.id === page.value?.preset))

  /** Whoever ends, a training or a reconstruction, may have changed what live panels show. */
  const ended = computed(() => workspace.jobs.filter(({ state }) => state !== 'queued' && state !== 'running').length)
  const laidLoaded = useLoaded(
    () => (page.value?.panels.length ? JSON.stringify([page.value, format.value, ended.value]) : undefined),
    (_key, signal) => data.layPage(page.value!, format.value, signal),
  )
  const laid = computed(() => laidLoaded.value)
  const problems = computed(() => laid.value?.findings.filter(({ state }) => state === 'problem') ?? [])
  const panel = computed(() => page.value?.panels.find((one) => one.id === selected.value))

  let waiting: { id: string; page: FigureDocument; timer: number } | undefined
  let saved = ''
  async function flush() {
    if (!waiting) return
    window.clearTimeout(waiting.timer)
    const { id: of, page: content } = waiting
    waiting = undefined
    try {
      await data.savePage(of, content)
      pages.reload()
    } catch (error) {
      problem.value = toProblem(error)
    }
  }
  watch(
    () => (id.value && page.value ? JSON.stringify([id.value, page.value]) : ''),
    (text) => {
      if (!text || text === saved) return
      saved = text
      const [of, content] = JSON.parse(text) as [string, FigureDocument]
      if (waiting && waiting.id !== of) void flush()
      window.clearTimeout(waiting?.timer)
      waiting = { id: of, page: content, timer: window.setTimeout(() => void flush(), SAVE_MS) }
    },
  )

  function show(pageId: string | undefined, content: FigureDocument | undefined) {
    id.value = pageId
    page.value = content
    selected.value = undefined
  }

  async function open(pageId: string) {
    try {
      await flush()
      const content = await data.loadPage(pageId)
      saved = JSON.stringify([pageId, content])
      show(pageId, content)
      problem.value = undefined
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  /** A new page under an id made of its title. */
  function create(content: FigureDocument) {
    const taken = new Set((pages.value ?? []).map((one) => one.id))
    const stem =
      content.title
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '')
        .slice(0, 40) || 'figure'
    let own = stem
    for (let n = 2; taken.has(own); n++) own = `${stem}-${n}`
    show(own, content)
  }

  const blank = (): FigureDocument => ({ version: 1, title: 'Figure', preset: 'nature', width: 'double', panels: [] })

  async function createFrom(name: TemplateName, run?: string) {
    try {
      create(await data.templatePage(name, page.value?.preset ?? 'nature', run))
      problem.value = undefined
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  /** Puts something at the end of the page that is open, else of the newest one, else of a new one. */
  async function add({ kind, source }: PanelContent) {
    const newest = pages.value?.[0]?.id
    if (!page.value && newest) await open(newest)
    if (!page.value) create(blank())
    const { panels } = page.value!
    let own: string = kind
    for (let n = 2; panels.some((one) => one.id === own); n++) own = `${kind}-${n}`
    const { title, columns } = data.kinds[kind]
    change([...panels, { id: own, kind, source, columns, title } as Panel])
    selected.value = own
    toast(`${title} is on the page “${page.value!.title}”`)
  }

  function change(panels: Panel[]) {
    if (page.value) page.value = { ...page.value, panels }
  }

  /** Replaces fields of a panel. */
  const update = (of: string, fields: Partial<Pick<Panel, 'title' | 'caption' | 'columns' | 'height' | 'frozen'>>) =>
    change(page.value!.panels.map((one) => (one.id === of ? { ...one, ...fields } : one)))

  /** Other trials for a panel that shows some. */
  const choose = (of: string, fields: { trials?: number[]; show?: number }) =>
    change(
      page.value!.panels.map((one) =>
        one.id === of ? ({ ...one, source: { ...one.source, ...fields } } as Panel) : one,
      ),
    )

  const widen = (of: string, by: number) => {
    const found = page.value!.panels.find((one) => one.id === of)
    if (found) update(of, { columns: Math.min(COLUMNS, Math.max(1, found.columns + by)) })
  }

  /** Puts a panel at a place in the reading order. */
  function place(of: string, to: number) {
    const panels = [...page.value!.panels]
    const from = panels.findIndex((one) => one.id === of)
    if (from < 0) return
    const [moved] = panels.splice(from, 1)
    panels.splice(Math.min(panels.length, Math.max(0, to)), 0, moved)
    change(panels)
  }
  const move = (of: string, by: number) => place(of, page.value!.panels.findIndex((one) => one.id === of) + by)

  function remove(of: string) {
    change(page.value!.panels.filter((one) => one.id !== of))
    selected.value = undefined
  }

  /** Another journal: the same width where it has one of that name, else its widest. */
  function usePreset(of: PresetId) {
    const { widths } = presets.value.find((one) => one.id === of)!
    const widest = widths.reduce((best, one) => (one.mm > best.mm ? one : best))
    const same = widths.find(({ name }) => name === page.value!.width)
    page.value = { ...page.value!, preset: of, width: (same ?? widest).name }
  }

  async function freeze(of: string) {
    try {
      const { frozen } = await data.frozenPanel(page.value!, of)
      update(of, { frozen })
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  async function deleteOpen() {
    const gone = id.value
    if (gone === undefined) return
    try {
      window.clearTimeout(waiting?.timer)
      waiting = undefined
      await data.deletePage(gone)
      show(undefined, undefined)
      pages.reload()
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  const isWriting = ref(false)
  /** Gives the figure with its source data to the browser as a file. */
  async function write() {
    if (!page.value || isWriting.value) return
    isWriting.value = true
    try {
      const blob = await data.writtenPage(page.value, format.value)
      const link = document.createElement('a')
      link.href = URL.createObjectURL(blob)
      link.download = `${id.value}-${page.value.preset}-${format.value}.zip`
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
      toast(`Wrote ${link.download}`)
      problem.value = undefined
    } catch (error) {
      problem.value = toProblem(error)
    } finally {
      isWriting.value = false
    }
  }

  return {
    ...{ id, page, selected, format, hasGuides, problem, pages: markRaw(pages), presets, preset },
    ...{ laidLoaded: markRaw(laidLoaded), laid, problems, panel, open, create, blank, createFrom, add, update, choose },
    ...{ widen, place, move, remove, usePreset, freeze, deleteOpen, isWriting, write },
  }
})
