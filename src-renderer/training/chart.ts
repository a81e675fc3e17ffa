import type uPlot from 'uplot'
import { compact } from '../shared/format.ts'

/** A curve of one run and fold. */
export interface ChartSeries {
  key: string
  label: string
  hue: string
  dashed: boolean
  step: readonly number[]
  raw: readonly number[]
  smoothed: readonly number[]
}

/** A vertical rule with a word, e.g. where the second phase begins. */
export interface ChartRule {
  step: number
  label: string
}

const FONT = "11px 'Inter Variable', system-ui, sans-serif"
const LABEL_WIDTH = 64
/** Narrower charts leave their lines to the hue: the widest one names them. */
const NAMED_WIDTH = 300
const LABEL_HEIGHT = 13
/** Raw values behind their smoothed line: 25 %. */
const FAINT = '40'

export interface ChartParts {
  series: readonly ChartSeries[]
  rules: readonly ChartRule[]
  isLog: boolean
  size: { width: number; height: number }
  /** Where the colours of the theme are looked up. */
  element: HTMLElement
  /** Told the step under the cursor. */
  hover(step: number | undefined): void
}

/** What uPlot draws: hairlines across, lines named at their ends, no legend. */
export function chartOptions({ series, rules, isLog, size, element, hover }: ChartParts): uPlot.Options {
  const css = getComputedStyle(element)
  const colour = (name: string) => css.getPropertyValue(name).trim()
  const [line, text] = [colour('--line'), colour('--text3')]
  const hasNames = series.length > 1 && size.width >= NAMED_WIDTH
  const axis: uPlot.Axis = {
    stroke: text,
    font: FONT,
    ticks: { show: false },
    grid: { show: false },
    gap: 4,
  }
  const lines = series.flatMap(({ hue, dashed }): uPlot.Series[] => {
    const own: uPlot.Series = { spanGaps: true, points: { show: false }, dash: dashed ? [5, 3] : undefined }
    return [
      { ...own, stroke: colour(hue) + FAINT, width: 1 },
      { ...own, stroke: colour(hue), width: 1.5 },
    ]
  })
  return {
    ...size,
    padding: [6, hasNames ? LABEL_WIDTH : 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, sync: { key: 'training' }, drag: { x: true, y: false } },
    scales: { x: { time: false }, y: { distr: isLog ? 3 : 1 } },
    axes: [
      { ...axis, size: 22, space: 56, values: (_, values) => values.map((value) => steps(value)) },
      {
        ...axis,
        size: 42,
        space: 28,
        grid: { show: true, stroke: line, width: 1 },
        values: (_, values) => values.map((value) => (value === null ? '' : short(value))),
      },
    ],
    series: [{}, ...lines],
    hooks: {
      setCursor: [({ cursor, data }) => hover(typeof cursor.idx !== 'number' ? undefined : data[0][cursor.idx])],
      drawAxes: [(plot) => rules.forEach((rule) => drawRule(plot, rule, colour('--line-strong'), text))],
      draw: [
        (plot) => {
          if (hasNames) drawNames(plot, series, colour)
        },
      ],
    },
  }
}

/** `5e−4` instead of `5.00e−4`: room is scarce at an axis. */
const short = (value: number): string => compact(value).replace(/\.?0+e/, 'e')

const steps = (value: number): string => (Number.isInteger(value) ? compact(value, 4) : '')

function drawRule(plot: uPlot, { step, label }: ChartRule, line: string, text: string): void {
  const { ctx, bbox } = plot
  const x = Math.round(plot.valToPos(step, 'x', true)) + 0.5
  if (x < bbox.left || x > bbox.left + bbox.width) return
  ctx.save()
  ctx.strokeStyle = line
  ctx.setLineDash([2 * ratio(), 3 * ratio()])
  ctx.beginPath()
  ctx.moveTo(x, bbox.top)
  ctx.lineTo(x, bbox.top + bbox.height)
  ctx.stroke()
  ctx.fillStyle = text
  ctx.font = scaled(FONT)
  ctx.textAlign = x > bbox.left + bbox.width * 0.7 ? 'right' : 'left'
  ctx.textBaseline = 'top'
  ctx.fillText(label, x + (ctx.textAlign === 'left' ? 4 : -4) * ratio(), bbox.top)
  ctx.restore()
}

/** Names at the ends of the lines, moved apart where they would lie on each other. */
function drawNames(plot: uPlot, series: readonly ChartSeries[], colour: (name: string) => string): void {
  const { ctx, bbox } = plot
  const height = LABEL_HEIGHT * ratio()
  const names = series
    .flatMap(({ label, hue, step, smoothed }) => {
      const end = smoothed.at(-1)
      if (end === undefined || !Number.isFinite(end)) return []
      const [x, y] = [plot.valToPos(step.at(-1)!, 'x', true), plot.valToPos(end, 'y', true)]
      return [{ label, hue, x, y: Math.min(bbox.top + bbox.height, Math.max(bbox.top, y)) }]
    })
    .sort((a, b) => a.y - b.y)
  for (let i = 1; i < names.length; i++) names[i].y = Math.max(names[i].y, names[i - 1].y + height)
  const overhang = (names.at(-1)?.y ?? 0) - (bbox.top + bbox.height)
  if (overhang > 0) for (const name of names) name.y -= overhang
  ctx.save()
  ctx.font = scaled(FONT)
  ctx.textBaseline = 'middle'
  ctx.textAlign = 'left'
  for (const { label, hue, x, y } of names) {
    ctx.fillStyle = colour(hue)
    ctx.fillText(label, Math.min(x, bbox.left + bbox.width) + 6 * ratio(), y, (LABEL_WIDTH - 10) * ratio())
  }
  ctx.restore()
}

const ratio = () => window.devicePixelRatio || 1
const scaled = (font: string) => font.replace(/^(\d+)px/, (_, size) => `${Number(size) * ratio()}px`)
