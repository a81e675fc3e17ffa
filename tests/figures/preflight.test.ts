import { describe, expect, it } from 'vitest'
import type { FigureDocument } from '../../src-main/figures/document.ts'
import { pageWidth } from '../../src-main/figures/document.ts'
import { layPage } from '../../src-main/figures/page.ts'
import { preflight } from '../../src-main/figures/preflight/index.ts'
import type { PreflightInput } from '../../src-main/figures/preflight/index.ts'
import { colourDistance } from '../../src-main/figures/preflight/vision.ts'
import { journalPreset } from '../../src-main/figures/presets.ts'
import type { Mark } from '../../src-main/figures/scene.ts'
import { hues } from '../../src-main/figures/style.ts'
import { sampleContents, samplePage } from './samples.ts'

function inputOf(change: Partial<FigureDocument> = {}): PreflightInput {
  const page = { ...samplePage, ...change }
  const preset = journalPreset(page.preset)
  const scene = layPage(page, sampleContents)
  return { scene, preset, widthMm: pageWidth(page), format: preset.formats[0], dpi: preset.dpi.used }
}

const findings = (input: PreflightInput) => new Map(preflight(input).map((finding) => [finding.check, finding]))

/** The page with more marks in a panel. */
function withMarks(marks: Partial<Mark>[], panel = 'ranks'): PreflightInput {
  const input = inputOf()
  const added = marks.map((mark) => ({ ...mark, panel }) as Mark)
  return { ...input, scene: { ...input.scene, marks: [...input.scene.marks, ...added] } }
}
const path = (colour: string, width = 1): Partial<Mark> => ({ kind: 'path', d: 'M0,0H9', stroke: { colour, width } })
const text = (line: string, size = 6): Partial<Mark> => ({
  ...{ kind: 'text', text: line, x: 0, y: 9, size, weight: 400, colour: '#000000', anchor: 'start' },
})

describe('preflight', () => {
  it.each([
    ['nature', 'double'],
    ['science', 'double'],
    ['elsevier', 'double'],
    ['ieee', 'double'],
  ] as const)('finds nothing against a page of %s as it comes', (preset, width) => {
    const panels = samplePage.panels.filter(({ id }) => id !== 'cortex') // with it, too high for some
    const problems = preflight(inputOf({ preset, width, panels })).filter(({ state }) => state === 'problem')
    expect(problems).toEqual([])
  })

  it.each([
    ['type', withMarks([text('small', 4.9)]), '4.9 pt'],
    ['type', withMarks([text('large', 7.5)]), 'at most 7 pt'],
    ['cut', withMarks([text('rank of the s…')]), '“rank of the s…”'],
    ['glyphs', withMarks([text('σ ≥ 1')]), 'σ ≥'],
    ['strokes', withMarks([path('#000000', 0.1)]), '0.1 pt'],
    ['alpha', withMarks([path('#00000080')]), 'not solid'],
    ['vision', withMarks([path('#D62728'), path('#2CA02C')]), 'deuteranopia'],
  ])('%s: names the panel', (check, input, said) => {
    expect(findings(input).get(check)).toMatchObject({ state: 'problem', panels: ['ranks'] })
    expect(findings(input).get(check)!.detail).toContain(said)
    expect(findings(inputOf()).get(check)?.state ?? 'ok').toBe('ok')
  })

  it('dpi, file: what the journal does not take', () => {
    const input = inputOf({ preset: 'plos', width: 'page' })
    expect(findings({ ...input, dpi: 200 }).get('dpi')).toMatchObject({ state: 'problem' })
    expect(findings({ ...input, dpi: 700 }).get('dpi')).toMatchObject({ state: 'problem' })
    expect(findings({ ...input, bytes: 9e6 }).get('file')).toMatchObject({ state: 'ok' })
    expect(findings({ ...input, bytes: 11e6 }).get('file')).toMatchObject({ state: 'problem' })
    expect(findings({ ...input, format: 'png' }).get('file')).toMatchObject({ state: 'problem' })
  })

  it('page: what lies beyond the greatest height', () => {
    const tall = samplePage.panels.map((panel) => ({ ...panel, columns: 12, height: 60 }))
    expect(findings(inputOf({ panels: tall })).get('page')).toMatchObject({
      state: 'problem',
      panels: ['ranks', 'training', 'cortex', 'insights', 'comparison'],
    })
    expect(findings(inputOf()).get('page')).toMatchObject({ state: 'ok' })
  })

  it('numbers: an estimate without interval or n', () => {
    const input = inputOf()
    const panels = input.scene.panels.map((panel) =>
      panel.id === 'scores' ? { ...panel, facts: { n: 12, intervals: false } } : panel,
    )
    expect(findings({ ...input, scene: { ...input.scene, panels } }).get('numbers')).toMatchObject({
      state: 'problem',
      panels: ['scores'],
    })
  })

  it('pixels, fonts, rules: what is worth knowing', () => {
    const found = findings(inputOf())
    expect(found.get('pixels')).toMatchObject({ state: 'note', panels: ['reconstruction', 'retrieval'] })
    expect(found.get('pixels')!.detail).toContain('28 x 28')
    expect(found.get('fonts')).toMatchObject({ state: 'note' })
    expect(found.get('rules')!.detail).toContain('2026-07-23')
  })

  it('data: a panel without any', () => {
    const withoutData = [{ id: 'ranks', problem: 'expected a run, found none' }]
    expect(findings({ ...inputOf(), withoutData }).get('data')).toMatchObject({ state: 'problem', panels: ['ranks'] })
  })
})

describe('colours', () => {
  it('are as far apart as CIE Lab says', () => {
    expect(colourDistance('#000000', '#FFFFFF')).toBeCloseTo(100, 1)
    expect(colourDistance('#FF0000', '#FF0000')).toBe(0)
    // Red and green of the sRGB primaries: Lab (53.24, 80.09, 67.20) and (87.73, −86.18, 83.18).
    expect(colourDistance('#FF0000', '#00FF00')).toBeCloseTo(Math.hypot(34.49, 166.27, 15.98), 0)
  })

  it('our own series stay apart in each dichromacy', () => {
    for (const kind of ['protanopia', 'deuteranopia', 'tritanopia'] as const)
      hues.forEach((a, i) => hues.slice(i + 1).forEach((b) => expect(colourDistance(a, b, kind)).toBeGreaterThan(10)))
  })
})
