import { area, line as curve } from 'd3-shape'
import { chart, spread } from '../chart.ts'
import { dot, horizontal, line, text, vertical, widest } from '../marks.ts'
import type { Mark } from '../scene.ts'
import { mm } from '../scene.ts'
import { hues, ink, tint } from '../style.ts'
import type { Art } from './art.ts'

export interface LinePoint {
  x: number
  y: number
  /** 95 % interval. */
  ci95?: [number, number]
}

/** Curves over a common axis: a training, an experiment. */
export interface LinesData {
  kind: 'lines'
  x: { title: string; ticks?: { value: number; label: string }[] }
  y: { title: string; domain?: [number, number] }
  series: { name: string; points: LinePoint[] }[]
  /** What guessing would score. */
  chance?: number
  /** Whether points are estimates, which need n and intervals, and of what n is. */
  estimates?: { n: number; of: string }
}

const LIKED_HEIGHT = mm(38)
/** Series beyond the hues repeat them with dashes. */
const lookOf = (i: number) => ({
  colour: hues[i % hues.length],
  dash: i < hues.length ? undefined : ([3, 1.5] as [number, number]),
})

const hasSpread = (values: [number, number]): [number, number] =>
  values[0] < values[1] ? values : [values[0] - 0.5, values[1] + 0.5]

const domainOf = (values: readonly number[]): [number, number] => hasSpread([Math.min(...values), Math.max(...values)])

export const linesArt: Art<LinesData> = {
  height: (_, width) => Math.min(LIKED_HEIGHT, width * 0.8),
  draw(data, box, style) {
    const { small, line: thick } = style
    const { series, chance } = data
    const points = series.flatMap((one) => one.points)
    const heights = points.flatMap(({ y, ci95 }) => [y, ...(ci95 ?? [])]).concat(chance ?? [])
    const atEnds = widest(
      [...(series.length > 1 ? series.map(({ name }) => name) : []), ...(chance === undefined ? [] : ['chance'])],
      small,
    )
    const right = Math.min(atEnds && atEnds + small * 0.8, box.width * 0.35)
    const ticks = data.x.ticks
    const domain = ticks ? domainOf(ticks.map(({ value }) => value)) : domainOf(points.map(({ x }) => x))
    const { x, y, inner, marks } = chart(
      box,
      { x: { ...data.x, domain }, y: { title: data.y.title, domain: data.y.domain ?? padded(heights) } },
      right,
      style,
    )
    const end = inner.x + inner.width
    const labels: { y: number; text: string; colour: string }[] = []
    if (chance !== undefined) {
      marks.push(line(horizontal(inner.x, end, y(chance)), ink.hint, style.hairline, [2, 1.5]))
      labels.push({ y: y(chance), text: 'chance', colour: ink.hint })
    }
    series.forEach((one, i) => {
      const { colour, dash } = lookOf(i)
      marks.push(...seriesMarks(one.points, x, y, { colour, dash, thick }))
      if (series.length > 1) labels.push({ y: y(one.points.at(-1)!.y), text: one.name, colour })
    })
    const places = spread(
      labels.map((label) => label.y),
      small * 1.15,
    )
    labels.forEach((label, i) =>
      marks.push(
        text(label.text, end + small * 0.6, places[i] + small * 0.35, {
          size: small,
          colour: label.colour,
          within: right,
        }),
      ),
    )
    return marks
  },
  facts: ({ estimates, series }) =>
    estimates ? { n: estimates.n, intervals: series.every(({ points }) => points.every(({ ci95 }) => ci95)) } : {},
  table: ({ x, y, series }) => [
    ['series', x.title, y.title, 'ci95_low', 'ci95_high'],
    ...series.flatMap(({ name, points }) =>
      points.map((point) => [name, point.x, point.y, point.ci95?.[0] ?? '', point.ci95?.[1] ?? '']),
    ),
  ],
}

/** Some room above and below. */
function padded(values: readonly number[]): [number, number] {
  const [low, high] = domainOf(values)
  const room = (high - low) * 0.05
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room]
}

/** Few points are marked one by one, with their intervals; where there are many, the interval is a band in a light colour. */
function seriesMarks(
  points: readonly LinePoint[],
  x: (value: number) => number,
  y: (value: number) => number,
  { colour, dash, thick }: { colour: string; dash?: [number, number]; thick: number },
): Mark[] {
  const few = points.length <= 12
  const path = curve<LinePoint>(
    (point) => x(point.x),
    (point) => y(point.y),
  ).digits(2)(points as LinePoint[])
  const known = points.filter((point) => point.ci95)
  const band = area<LinePoint>(
    (point) => x(point.x),
    (point) => y(point.ci95![0]),
    (point) => y(point.ci95![1]),
  ).digits(2)
  return [
    ...(known.length && !few ? [{ kind: 'path', d: band(known)!, fill: tint(colour, 0.15) } as const] : []),
    ...(path ? [line(path, colour, thick, dash)] : []),
    ...(few
      ? points.flatMap((point) => [
          ...(point.ci95 ? [line(vertical(x(point.x), y(point.ci95[0]), y(point.ci95[1])), colour, thick)] : []),
          dot(x(point.x), y(point.y), thick * 1.7, colour),
        ])
      : []),
  ]
}
