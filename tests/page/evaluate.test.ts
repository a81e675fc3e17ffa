import { describe, expect, it } from 'vitest'
import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import { METRIC_VERSION, metricIds, metrics } from '../../src-main/evaluation/metrics.ts'
import { publishedTable } from '../../src-main/evaluation/published.ts'
import {
  columnsOf,
  filledColumns,
  keyText,
  ownRow,
  parseKey,
  publishedRows,
  sortedRows,
} from '../../src-renderer/evaluation/rows.ts'
import { spread } from '../../src-renderer/evaluation/strips.ts'
import { toCsv, toLatex } from '../../src-renderer/evaluation/tableText.ts'

const catalogue = {
  version: METRIC_VERSION,
  metrics: metricIds.map((id) => ({ id, ...metrics[id] })),
  published: publishedTable,
  experiments: [],
}
const columns = columnsOf(catalogue)
const top = (mean: number) => ({ mean, ci95: [mean - 0.1, mean + 0.1] as [number, number], n: 12, chance: 1 / 12 })
const score = (mean: number) => ({ ...top(mean), p: 0.0004, version: METRIC_VERSION })
const evaluation: Evaluation = {
  ...{ run: 'demo-1', split: 'shipped', trials: 12, pool: 12, repeats: 'average', seed: 42 },
  ...{ kind: 'combined', set: 'abc', reconstructions: 12, images: 12 },
  retrieval: { image: { top1: top(0.5) }, brain: { top1: top(0.4) }, pixel: { top1: top(0.75) } },
  ...{
    pixcorr: score(0.732),
    ssim: score(-0.25),
    twoway: { pixel: score(0.9) },
    distance: {},
    standIn: { object: score(0.6) },
  },
  missing: [
    {
      ...{ metrics: ['alexnet2', 'alexnet5'], part: 'alexnet', title: 'AlexNet' },
      ...{ place: 'metrics/alexnet…', source: 'torchvision', found: 'no pack' },
    },
  ],
}
const own = ownRow('demo-1/abc/combined', 'demo "50%" & more, combined', evaluation, 'repeats averaged')
const published = publishedRows(publishedTable)

describe('rows of the Evaluate table', () => {
  it('are named by run, set and kind', () => {
    const key = { run: 'demo-1', set: 'abc', kind: 'low' } as const
    expect(keyText(key)).toBe('demo-1/abc/low')
    expect(parseKey('demo-1/abc/low')).toEqual(key)
    expect(parseKey(keyText({ run: 'demo-1' }))).toEqual({ run: 'demo-1', set: undefined, kind: undefined })
  })

  it('hold every score with n and pool, and why one is missing', () => {
    expect(own.cells.pixcorr).toMatchObject({ mean: 0.732, n: 12, pool: 12, p: 0.0004, version: METRIC_VERSION })
    expect(own.cells['retrieval.pixel']!.mean).toBe(0.75)
    expect(own.missing.alexnet5).toBe('Needs AlexNet in the pack’s metrics/alexnet… (torchvision). Found: no pack.')
    expect(own.about).toBe('n 12, pool 12, repeats averaged, split shipped')
    expect(filledColumns(columns, [own]).map(({ id }) => id)).toEqual([
      ...['pixcorr', 'ssim', 'pixel', 'alexnet2', 'alexnet5', 'object'],
      ...['retrieval.image', 'retrieval.brain', 'retrieval.pixel'],
    ])
  })

  it('sort by a column, those without a score last', () => {
    const names = (descending: boolean) =>
      sortedRows([own, ...published], { column: 'retrieval.image', descending }).map(({ name }) => name)
    expect(names(true).slice(0, 4)).toEqual(['MindEye', 'MindEye, high-level only', own.name, 'Ozcelik and VanRullen'])
    expect(names(false).slice(0, 2)).toEqual(['Lin et al.', 'Ozcelik and VanRullen'])
    expect(names(true).slice(-4)).toEqual(names(false).slice(-4))
  })
})

describe('the published rows', () => {
  it('are shares and correlations like ours, marked, with their pool', () => {
    const [mindeye, low, , , , takagi] = published
    expect(published).toHaveLength(8)
    expect(mindeye).toMatchObject({ published: true, about: 'Scotti et al. 2023, arXiv 2305.18274, Table 1' })
    expect(mindeye.cells.alexnet2).toEqual({ mean: 0.947 })
    expect(mindeye.cells.efficientnet).toEqual({ mean: 0.645 })
    expect(mindeye.cells['retrieval.brain']).toEqual({ mean: 0.901, pool: 300 })
    expect([low.cells.pixcorr, low.cells['retrieval.image']]).toEqual([{ mean: 0.36 }, undefined])
    expect(Object.keys(takagi.cells)).toEqual(['alexnet2', 'alexnet5', 'inception', 'clip'])
    // The lower the better for distances alone.
    expect(columns.filter(({ better }) => better === 'lower').map(({ title }) => title)).toEqual(['Eff', 'SwAV'])
  })
})

describe('the copied table', () => {
  const shown = columns.filter(({ id }) => ['pixcorr', 'ssim', 'efficientnet'].includes(id))

  it('as CSV has a line per row with all digits, and what each is', () => {
    const [header, first, second] = toCsv([own, published[0]], shown).split('\n')
    expect(header).toBe(
      'row,published,run,kind,set,split,repeats,seed,metric version,' +
        ['PixCorr', 'SSIM', 'Eff'].map((t) => `${t},${t} low,${t} high,${t} n,${t} pool,${t} p`).join(','),
    )
    expect(first).toBe(
      '"demo ""50%"" & more, combined",own,demo-1,combined,abc,shipped,average,42,mindeye-metrics-1,' +
        '0.732,0.632,0.832,12,12,0.0004,-0.25,-0.35,-0.15,12,12,0.0004,,,,,,',
    )
    expect(second).toBe('MindEye,published,,,,,,,,0.309,,,,,,0.323,,,,,,0.645,,,,,')
  })

  it('as LaTeX is a table of booktabs that says which rows are published', () => {
    expect(toLatex([own, published[0]], shown)).toBe(
      [
        '% demo "50%" & more, combined: n 12, pool 12, repeats averaged, split shipped',
        '% metrics: mindeye-metrics-1; 95 % intervals by bootstrap over images',
        '\\begin{tabular}{lrrr}',
        '\\toprule',
        ' & PixCorr $\\uparrow$ & SSIM $\\uparrow$ & Eff $\\downarrow$ \\\\',
        '\\midrule',
        'demo "50\\%" \\& more, combined & 0.732 {\\scriptsize [0.63, 0.83]} & $-$0.250 {\\scriptsize [$-$0.35, $-$0.15]} & -- \\\\',
        'MindEye (published) & 0.309 & 0.323 & 0.645 \\\\',
        '\\bottomrule',
        '\\end{tabular}',
        '',
      ].join('\n'),
    )
  })
})

describe('points of a strip', () => {
  it('don’t cover each other while there is room', () => {
    const x = [10, 10, 10, 11, 40]
    const offsets = spread(x, 3, 20)
    expect(offsets[4]).toBe(0)
    for (let i = 0; i < 5; i++)
      for (let j = 0; j < i; j++)
        expect(Math.hypot(x[i] - x[j], offsets[i] - offsets[j])).toBeGreaterThanOrEqual(6 - 1e-9)
    expect(Math.max(...spread(new Array<number>(50).fill(5), 3, 20).map(Math.abs))).toBeLessThanOrEqual(20)
  })
})
