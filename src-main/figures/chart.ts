import { scaleLinear } from 'd3-scale'
import { horizontal, line, text, vertical, widest } from './marks.ts'
import type { Box, Mark } from './scene.ts'
import type { Style } from './style.ts'
import { ink } from './style.ts'
import { textWidth } from './type.ts'

export interface ChartAxis {
  title: string
  domain: [number, number]
  /** Where to label the axis, with what; default: round numbers. */
  ticks?: { value: number; label: string }[]
}

export interface Chart {
  x(value: number): number
  y(value: number): number
  /** Inside the axes. */
  inner: Box
  /** Grid, axes and their labels. */
  marks: Mark[]
}

/** Axes within a box that leave room for their labels, and `right` points for labels at the ends of lines. Horizontal grid only. */
export function chart(box: Box, axes: { x: ChartAxis; y: ChartAxis }, right: number, style: Style): Chart {
  const { small, hairline } = style
  const foot = small * 3.2
  const plotHeight = box.height - foot - small * 0.5
  const yTicks = axes.y.ticks ?? roundTicks(axes.y.domain, plotHeight / (small * 3))
  const numbers = widest(
    yTicks.map(({ label }) => label),
    small,
  )
  const gutter = small * 1.9 + numbers
  const xTicks = axes.x.ticks ?? roundTicks(axes.x.domain, (box.width - gutter - right) / (small * 6))
  // The last label may stand at the very end of the axis, half of it beyond.
  const beyond = Math.max(right, textWidth(xTicks.at(-1)?.label ?? '', { size: small }) / 2)
  const inner = { x: box.x + gutter, y: box.y + small * 0.5, width: box.width - gutter - beyond, height: plotHeight }
  const x = scaleLinear(axes.x.domain, [inner.x, inner.x + inner.width])
  const y = scaleLinear(axes.y.domain, [inner.y + inner.height, inner.y])
  const bottom = inner.y + inner.height
  const label = { size: small, colour: ink.label } as const
  const marks: Mark[] = [
    ...yTicks.map(({ value }) => line(horizontal(inner.x, inner.x + inner.width, y(value)), ink.line, hairline)),
    ...yTicks.map(({ value, label: shown }) =>
      text(shown, inner.x - small * 0.5, y(value) + small * 0.35, { ...label, anchor: 'end' }),
    ),
    line(horizontal(inner.x, inner.x + inner.width, bottom), ink.axis, hairline),
    ...xTicks.map(({ value }) => line(vertical(x(value), bottom, bottom + small * 0.35), ink.axis, hairline)),
    ...apart(xTicks, x, small).map(({ value, label: shown }) =>
      text(shown, x(value), bottom + small * 1.5, { ...label, anchor: 'middle' }),
    ),
    text(axes.x.title, inner.x + inner.width / 2, bottom + small * 2.9, {
      ...label,
      anchor: 'middle',
      within: inner.width,
    }),
    text(axes.y.title, box.x + small * 0.85, inner.y + inner.height / 2, {
      ...label,
      anchor: 'middle',
      turned: true,
      within: box.height,
    }),
  ]
  return { x: (value) => x(value), y: (value) => y(value), inner, marks }
}

/** About `count` round numbers, all with the decimals that they need. */
function roundTicks(domain: [number, number], count: number): { value: number; label: string }[] {
  const scale = scaleLinear().domain(domain)
  const most = Math.max(2, Math.min(6, Math.floor(count)))
  const format = scale.tickFormat(most)
  return scale.ticks(most).map((value) => ({ value, label: format(value) }))
}

/** Those of ascending ticks whose labels do not touch the one before. */
function apart(ticks: { value: number; label: string }[], x: (value: number) => number, size: number) {
  let end = -Infinity
  return ticks.filter(({ value, label }) => {
    const half = textWidth(label, { size }) / 2
    if (x(value) - half < end + size * 0.5) return false
    end = x(value) + half
    return true
  })
}

/** Heights for labels at the ends of lines: as near to where they belong as leaves `pitch` between them. */
export function spread(wanted: readonly number[], pitch: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b])
  const placed = [...wanted]
  order.forEach((i, place) => {
    if (place) placed[i] = Math.max(placed[i], placed[order[place - 1]] + pitch)
  })
  const pushed = order.length ? (placed[order.at(-1)!] - wanted[order.at(-1)!]) / 2 : 0
  return placed.map((y) => y - pushed)
}
