import type { FigureDocument, Panel } from './document.ts'
import { GRID, pageWidth } from './document.ts'
import { text } from './marks.ts'
import { artOf } from './panels/index.ts'
import type { PanelData } from './panels/index.ts'
import { journalPreset } from './presets.ts'
import type { Box, Mark, Scene, ScenePanel } from './scene.ts'
import { mm } from './scene.ts'
import type { Style } from './style.ts'
import { ink, styleOf } from './style.ts'
import { textWidth } from './type.ts'

/** The data of a panel, or why there are none. */
export type PanelContent = { data: PanelData } | { problem: string }

const GUTTER = mm(4)
const BETWEEN_ROWS = mm(4)
const NO_DATA_HEIGHT = mm(20)

/** Where the columns of a page begin and how wide they are, in points. */
export function columnGrid(width: number, margin: number): { x: number; width: number }[] {
  const column = (width - 2 * margin - (GRID - 1) * GUTTER) / GRID
  return Array.from({ length: GRID }, (_, i) => ({ x: margin + i * (column + GUTTER), width: column }))
}

/** The space around a page's content in points: a journal's figure reaches its edges but for a frame's width, a slide does not. */
export const marginOf = ({ preset }: Pick<FigureDocument, 'preset'>): number => mm(preset === 'slide' ? 9 : 0.5)

/**
 * Lays a page at its final size: panels fill rows of twelve columns in their order, each as high as it needs, charts as high as their row. Type
 * is set in the preset's sizes, so another width or preset is another layout and never a scaled one.
 */
export function layPage(page: FigureDocument, contents: ReadonlyMap<string, PanelContent>): Scene {
  const preset = journalPreset(page.preset)
  const style = styleOf(preset)
  const width = mm(pageWidth(page))
  const margin = marginOf(page)
  const grid = columnGrid(width, margin)
  const head = page.panels.length > 1 || page.panels.some(({ title }) => title) ? style.letter * 1.35 : 0
  const panels: ScenePanel[] = []
  const marks: Mark[] = []
  let y = margin
  for (const row of rowsOf(page.panels)) {
    const placed = row.map(({ panel, start }) => {
      const last = grid[start + panel.columns - 1]
      const box = { x: grid[start].x, y, width: last.x + last.width - grid[start].x }
      const content = contents.get(panel.id) ?? { problem: 'nothing was gathered' }
      return { panel, box, content, needed: head + bodyHeight(panel, content, box.width, style) }
    })
    const height = Math.max(...placed.map(({ needed }) => needed))
    for (const { panel, box, content } of placed) {
      const whole = { ...box, height }
      const title = panel.title ?? ''
      const letter = page.panels.length > 1 ? letterOf(panels.length, style.upper) : ''
      const facts = 'data' in content ? artOf(content.data).facts(content.data) : {}
      panels.push({ id: panel.id, letter, title, box: whole, facts })
      const body = { ...whole, y: y + head, height: height - head }
      const drawn = [...heading(letter, title, whole, style), ...contentMarks(content, body, style)]
      marks.push(...drawn.map((mark) => ({ ...mark, panel: panel.id })))
    }
    y += height + BETWEEN_ROWS
  }
  const needed = Math.max(mm(10), y - (panels.length ? BETWEEN_ROWS : 0) + margin)
  const height = page.preset === 'slide' ? mm(preset.maxHeight!) : needed
  return { title: page.title, width, height, panels, marks }
}

/** Panels by rows, each with its first column. */
function rowsOf(panels: readonly Panel[]): { panel: Panel; start: number }[][] {
  const rows: { panel: Panel; start: number }[][] = []
  let next = GRID
  for (const panel of panels) {
    if (next + panel.columns > GRID) {
      rows.push([])
      next = 0
    }
    rows.at(-1)!.push({ panel, start: next })
    next += panel.columns
  }
  return rows
}

function bodyHeight(panel: Panel, content: PanelContent, width: number, style: Style): number {
  if (panel.height !== undefined) return mm(panel.height)
  return 'data' in content ? artOf(content.data).height(content.data, width, style) : NO_DATA_HEIGHT
}

function contentMarks(content: PanelContent, box: Box, style: Style): Mark[] {
  if ('data' in content) return artOf(content.data).draw(content.data, box, style)
  return [text(content.problem, box.x, box.y + style.label, { size: style.label, colour: ink.hint, within: box.width })]
}

function heading(letter: string, title: string, { x, y, width }: Box, style: Style): Mark[] {
  const baseline = y + style.letter * 0.8
  const after = letter ? textWidth(letter, { size: style.letter, weight: 700 }) + style.letter * 0.6 : 0
  return [
    ...(letter ? [text(letter, x, baseline, { size: style.letter, weight: 700, colour: '#000000' })] : []),
    ...(title ? [text(title, x + after, baseline, { size: style.label, weight: 600, within: width - after })] : []),
  ]
}

/** a … z, then aa, ab, … */
function letterOf(index: number, upper: boolean): string {
  const letter = String.fromCharCode((upper ? 65 : 97) + (index % 26))
  return index < 26 ? letter : letterOf(Math.floor(index / 26) - 1, upper) + letter
}
