import { scaleLinear } from 'd3-scale'
import { dot, filled, horizontal, line, number, text, vertical, widest } from '../marks.ts'
import type { Mark } from '../scene.ts'
import type { Style } from '../style.ts'
import { hues, ink, tint } from '../style.ts'
import type { Art } from './art.ts'

export interface ScoreRow {
  label: string
  mean: number
  ci95?: [number, number]
  n: number
  /** What guessing, or other images, score. */
  chance?: number
  /** Of a permutation test against chance. */
  p?: number
}

export interface ScoresData {
  kind: 'scores'
  /** Rows under a heading that says on what they are measured. */
  groups: { title: string; rows: ScoreRow[] }[]
}

const estimate = ({ mean, ci95 }: ScoreRow) =>
  ci95 ? `${number(mean, 2)} [${number(ci95[0], 2)}, ${number(ci95[1], 2)}]` : number(mean, 2)

const rowsOf = ({ groups }: ScoresData) => groups.flatMap(({ rows }) => rows)

/** Rows and headings stand `pitch` apart; below them the axis with its title. */
function measure({ groups }: ScoresData, { label, small }: Style) {
  const pitch = label * 1.7
  const lines = groups.reduce((sum, { rows }) => sum + rows.length + 1, 0)
  const between = label * 0.6
  const plot = lines * pitch + (groups.length - 1) * between
  return { pitch, between, plot, axis: small * 3.6 }
}

export const scoresArt: Art<ScoresData> = {
  height(data, _, style) {
    const { plot, axis } = measure(data, style)
    return plot + axis
  },
  draw(data, box, style) {
    const { pitch, between, plot } = measure(data, style)
    const { label, small, hairline, line: thick } = style
    const rows = rowsOf(data)
    const names = Math.min(
      widest(
        rows.map((row) => row.label),
        label,
      ),
      box.width * 0.42,
    )
    const values = widest(rows.map(estimate), small)
    const left = box.x + names + label
    const right = box.x + box.width - values - label
    const low = Math.min(0, ...rows.map(({ mean, ci95 }) => Math.min(mean, ci95?.[0] ?? mean)))
    const x = scaleLinear([Math.floor(low * 10) / 10, 1], [left, right])
    const foot = box.y + plot + small * 0.4
    const ticks = x.ticks(right - left > 60 ? 4 : 2)

    const marks: Mark[] = []
    let y = box.y
    for (const { title, rows } of data.groups) {
      marks.push(text(title, box.x, y + pitch * 0.7, { size: small, colour: ink.hint, within: box.width }))
      y += pitch
      const bottom = y + rows.length * pitch
      marks.push(...ticks.map((tick) => line(vertical(x(tick), y, bottom), ink.line, hairline)))
      for (const row of rows) {
        const middle = y + pitch / 2
        marks.push(
          text(row.label, box.x, middle + label * 0.35, { size: label, within: names }),
          ...estimateMarks(row, x, middle, pitch, style),
          text(estimate(row), right + label, middle + small * 0.35, { size: small }),
        )
        y += pitch
      }
      y += between
    }
    const hint = { size: small, colour: ink.label } as const
    marks.push(
      line(horizontal(left, right, foot), ink.axis, hairline),
      ...ticks.map((tick) => text(number(tick, 1), x(tick), foot + small * 1.3, { ...hint, anchor: 'middle' })),
      text('score', (left + right) / 2, foot + small * 2.7, { ...hint, anchor: 'middle' }),
    )
    if (rows.some(({ chance }) => chance !== undefined))
      marks.push(
        line(vertical(box.x + thick, foot + small * 0.6, foot + small * 1.6), ink.text, thick),
        text('chance', box.x + small * 0.8, foot + small * 1.4, hint),
      )
    return marks
  },
  facts: (data) => {
    const rows = rowsOf(data)
    return { n: Math.min(...rows.map(({ n }) => n)), intervals: rows.every(({ ci95 }) => ci95) }
  },
  table: ({ groups }) => [
    ['group', 'measure', 'mean', 'ci95_low', 'ci95_high', 'n', 'chance', 'p'],
    ...groups.flatMap(({ title, rows }) =>
      rows.map(({ label, mean, ci95, n, chance, p }) => [
        title,
        label,
        mean,
        ci95?.[0] ?? '',
        ci95?.[1] ?? '',
        n,
        chance ?? '',
        p ?? '',
      ]),
    ),
  ],
}

/** A light bar from zero, the interval as a line over its end, the mean as a dot, chance as an upright stroke. */
function estimateMarks(
  { mean, ci95, chance }: ScoreRow,
  x: (value: number) => number,
  y: number,
  pitch: number,
  { line: thick }: Style,
): Mark[] {
  const half = pitch * 0.3
  const [from, to] = [x(0), x(mean)].sort((a, b) => a - b)
  return [
    filled({ x: from, y: y - half, width: to - from, height: 2 * half }, tint(hues[0], 0.25)),
    ...(chance === undefined ? [] : [line(vertical(x(chance), y - half, y + half), ink.text, thick)]),
    ...(ci95 ? [line(horizontal(x(ci95[0]), x(ci95[1]), y), hues[0], thick)] : []),
    dot(x(mean), y, thick * 1.7, hues[0]),
  ]
}
