import { scaleLinear } from 'd3-scale'
import { chart } from '../chart.ts'
import { filled, horizontal, line, number, text } from '../marks.ts'
import { mm } from '../scene.ts'
import { hues, ink, tint } from '../style.ts'
import type { Art } from './art.ts'

export interface RanksData {
  kind: 'ranks'
  /** Distinct images to choose from. */
  pool: number
  /** Place of the seen image for every held-out trial, from 1; halves where tied. */
  ranks: number[]
}

const LIKED_HEIGHT = mm(38)
const MOST_BARS = 25

/** Trials by stretches of ranks, as many ranks to a bar as keep the bars few. */
function counts({ pool, ranks }: RanksData): { step: number; bars: number[] } {
  const step = Math.ceil(pool / MOST_BARS)
  const bars = new Array<number>(Math.ceil(pool / step)).fill(0)
  for (const rank of ranks) bars[Math.min(bars.length - 1, Math.floor((rank - 1) / step))]++
  return { step, bars }
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

export const ranksArt: Art<RanksData> = {
  height: (_, width) => Math.min(LIKED_HEIGHT, width * 0.8),
  draw(data, box, style) {
    const { small, hairline } = style
    const { pool, ranks } = data
    const { step, bars } = counts(data)
    const expected = (ranks.length * step) / pool
    const top = Math.max(...bars, expected) * 1.3 // the words stand above the bars
    const places = [1, ...scaleLinear().domain([0, pool]).ticks(3).slice(1)]
    const { x, y, inner, marks } = chart(
      box,
      {
        x: {
          title: `rank among ${pool}`,
          domain: [0.5, bars.length * step + 0.5],
          ticks: places.map((value) => ({ value, label: `${value}` })),
        },
        y: { title: 'held-out trials', domain: [0, top], ticks: wholeTicks(top) },
      },
      0,
      style,
    )
    const gap = Math.min(1, (inner.width / bars.length) * 0.15)
    bars.forEach((count, i) => {
      const [left, right] = [x(i * step + 0.5) + gap, x((i + 1) * step + 0.5) - gap]
      if (count)
        marks.push(filled({ x: left, y: y(count), width: right - left, height: y(0) - y(count) }, tint(hues[0], 0.6)))
    })
    const end = inner.x + inner.width
    const note = { size: small, anchor: 'end' } as const
    marks.push(
      line(horizontal(inner.x, end, y(expected)), ink.text, hairline, [2, 1.5]),
      text('guessing', end, y(expected) - small * 0.4, { ...note, colour: ink.label }),
      text(`median rank ${number(median(ranks), median(ranks) % 1 ? 1 : 0)}`, end, inner.y + small * 1.2, note),
      text(`n = ${ranks.length}`, end, inner.y + small * 2.5, { ...note, colour: ink.label }),
    )
    return marks
  },
  facts: ({ ranks }) => ({ n: ranks.length }),
  table: ({ ranks }) => [['rank'], ...ranks.map((rank) => [rank])],
}

/** Counts are whole. */
function wholeTicks(top: number): { value: number; label: string }[] {
  const step = Math.max(1, Math.ceil(top / 4))
  const count = Math.floor(top / step) + 1
  return Array.from({ length: count }, (_, i) => ({ value: i * step, label: `${i * step}` }))
}
