import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FigureDocument } from '../../src-main/figures/document.ts'
import { parseDocument } from '../../src-main/figures/document.ts'
import { layPage } from '../../src-main/figures/page.ts'
import { artOf } from '../../src-main/figures/panels/index.ts'
import { journalPreset, journalPresets } from '../../src-main/figures/presets.ts'
import type { JournalPreset, PresetId } from '../../src-main/figures/presets.ts'
import type { Mark, Scene } from '../../src-main/figures/scene.ts'
import { mm } from '../../src-main/figures/scene.ts'
import { FigurePages } from '../../src-main/figures/store.ts'
import { textWidth } from '../../src-main/figures/type.ts'
import { sampleContents, samplePage, samples } from './samples.ts'

const lay = (change: Partial<FigureDocument> = {}) => layPage({ ...samplePage, ...change }, sampleContents)

/** Left, top, right and bottom of a mark. */
function extent(mark: Mark): [number, number, number, number] {
  if (mark.kind === 'image') return [mark.x, mark.y, mark.x + mark.width, mark.y + mark.height]
  if (mark.kind === 'text') {
    const width = textWidth(mark.text, mark)
    const start = width * { start: 0, middle: 0.5, end: 1 }[mark.anchor]
    if (mark.turned) return [mark.x - mark.size, mark.y - width + start, mark.x, mark.y + start]
    return [mark.x - start, mark.y - mark.size * 0.75, mark.x - start + width, mark.y]
  }
  const [xs, ys]: [number[], number[]] = [[], []]
  for (const [, command, values] of mark.d.matchAll(/([MLHV])([\d., -]+)/g)) {
    const [first, second] = values.split(',').map(Number)
    if (command !== 'V') xs.push(first)
    if (command !== 'H') ys.push(command === 'V' ? first : second)
  }
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]
}

/** Marks that reach out of the page by more than a tenth of a point. */
const beyond = ({ marks, width, height }: Scene) =>
  marks.filter((mark) => {
    const [left, top, right, bottom] = extent(mark)
    return left < -0.1 || top < -0.1 || right > width + 0.1 || bottom > height + 0.1
  })

describe('a page', () => {
  const pages = journalPresets.flatMap(({ id, widths }) => widths.map(({ name, mm }) => [id, name, mm] as const))
  it.each(pages)(
    'of %s, %s, is laid at its own size, in its own type, with nothing beyond its edges',
    (preset, width, across) => {
      // In a column of text panels stand below one another.
      const panels = samplePage.panels.map((panel) => (across < 110 ? { ...panel, columns: 12 } : panel))
      const scene = lay({ preset, width, panels })
      const { type, letter, stroke }: JournalPreset = journalPreset(preset)
      expect(scene.width).toBeCloseTo(mm(across), 9)
      expect(preset === 'slide' ? [] : beyond(scene)).toEqual([])
      for (const mark of scene.marks) {
        if (mark.kind === 'text' && mark.size !== letter.size) {
          expect(mark.size).toBeGreaterThanOrEqual(type.min ?? 0)
          expect(mark.size).toBeLessThanOrEqual(type.max ?? Infinity)
        }
        if (mark.kind === 'path' && mark.stroke && stroke) {
          expect(mark.stroke.width).toBeGreaterThanOrEqual(stroke.min)
          expect(mark.stroke.width).toBeLessThanOrEqual(stroke.max)
        }
      }
    },
  )

  it('has letters in the style of its preset, and none on a panel alone', () => {
    const letters = (preset: PresetId, width: string) =>
      lay({ preset, width })
        .panels.map(({ letter }) => letter)
        .join('')
    expect(letters('nature', 'double')).toBe('abcdefgh')
    expect(letters('cell', 'double')).toBe('ABCDEFGH')
    expect(lay({ panels: samplePage.panels.slice(0, 1) }).panels[0].letter).toBe('')
  })

  it('wraps panels into rows of twelve columns, charts as high as their row', () => {
    const { panels, width } = lay()
    const [a, b, c, d, e, , f] = panels.map(({ box }) => box)
    expect([a.y, c.y]).toEqual([b.y, d.y])
    expect(e.y).toBe(d.y)
    expect([c.height, d.height]).toEqual([e.height, c.height])
    expect(f.y).toBeGreaterThan(c.y + c.height)
    expect(b.x - (a.x + a.width)).toBeCloseTo(mm(4), 6)
    expect(b.x + b.width).toBeCloseTo(width - mm(0.5), 6)
  })

  it('says in its place why a panel has no data', () => {
    const scene = layPage(samplePage, new Map([...sampleContents, ['ranks', { problem: 'nobody was asked' }]]))
    expect(scene.marks.filter((mark) => mark.panel === 'ranks' && mark.kind === 'text').at(-1)).toMatchObject({
      text: 'nobody was asked',
    })
  })

  it('lays twelve panels in less than 100 ms', () => {
    const twelve = [...samplePage.panels, ...samplePage.panels].map((panel, i) => ({ ...panel, id: `p${i}` }))
    const contents = new Map(twelve.map(({ id, kind }) => [id, { data: samples[kind] }]))
    const page = { ...samplePage, panels: twelve }
    layPage(page, contents)
    const start = performance.now()
    layPage(page, contents)
    expect(performance.now() - start).toBeLessThan(100)
  })
})

describe('a page’s description', () => {
  it('is kept in the workspace as it is, with what its panels were frozen with', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pages-'))
    const pages = new FigurePages(folder)
    expect(pages.list()).toEqual([])
    const data = pages.keep(samples.retrieval)
    expect(pages.keep(samples.retrieval)).toBe(data)
    const frozen = { at: '2026-11-26', fingerprint: 'f', data }
    const page = { ...samplePage, panels: samplePage.panels.map((panel) => ({ ...panel, frozen })) }
    pages.write('first-page', page)
    expect(pages.read('first-page')).toEqual(JSON.parse(JSON.stringify(page)))
    expect(pages.kept(data)).toEqual(samples.retrieval)
    expect(pages.kept(pages.keep(samples.cortex))).toEqual(samples.cortex) // arrays of numbers, too
    writeFileSync(join(folder, 'figures', 'damaged.json'), '{')
    expect(pages.list().map(({ id, title, panels }) => [id, title, panels])).toEqual([
      ['first-page', samplePage.title, samplePage.panels.length],
    ])
    expect(() => pages.read('../workspace')).toThrow('small letters')
    expect(() => pages.read('other')).toThrow('a page of this workspace')
    pages.remove('first-page')
    expect(pages.list()).toEqual([])
    rmSync(folder, { recursive: true })
  })

  it.each([
    [{ version: 2 }, 'version'],
    [{ preset: 'jama' }, 'nature'],
    [{ width: 'triple' }, 'single, middle, double'],
    [{ panels: [samplePage.panels[0], samplePage.panels[0]] }, 'twice'],
    [{ panels: [{ ...samplePage.panels[0], columns: 13 }] }, 'panels.0.columns'],
  ])('%o is refused by name', (change, said) => {
    expect(() => parseDocument({ ...samplePage, ...change }, 'page.json')).toThrow(said)
  })
})

describe('source data', () => {
  it.each(Object.entries(samples))('of %s are rows as wide as their head', (_, data) => {
    const [head, ...rows] = artOf(data).table(data)
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) expect(row).toHaveLength(head.length)
  })

  it('hold every number of the scores', () => {
    expect(artOf(samples.scores).table(samples.scores)[1]).toEqual([
      'Image from brain · 12 images',
      'top-1',
      0.75,
      0.43,
      1,
      12,
      0.1,
      '',
    ])
  })
})
