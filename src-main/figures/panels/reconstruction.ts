import type { Image } from '../../formats/images.ts'
import { photograph, text, widest } from '../marks.ts'
import type { Mark } from '../scene.ts'
import { mm } from '../scene.ts'
import type { Style } from '../style.ts'
import { hues, ink } from '../style.ts'
import type { Art } from './art.ts'

/** A row of the comparison. */
export type RowName = 'seen' | 'low' | 'high' | 'combined'

export interface ReconstructionData {
  kind: 'reconstruction'
  rows: RowName[]
  /** Reconstructions of the set from which these are taken. */
  n: number
  trials: {
    /** Row of the subject's trial table. */
    trial: number
    stimulus: string
    pictures: Partial<Record<RowName, Image>>
  }[]
}

const titles: Record<RowName, string> = { seen: 'Seen', low: 'Low-level', high: 'High-level', combined: 'Combined' }

const SMALLEST_TILE = mm(10)
const LARGEST_TILE = mm(20)

/** Where everything stands: `across` trials beside one another, in as many bands as they need. */
function measure({ trials, rows }: ReconstructionData, width: number, { label, small }: Style) {
  const side = widest(
    rows.map((row) => titles[row]),
    label,
  )
  const gap = small * 0.5
  const room = width - side - label
  const smallest = Math.max(SMALLEST_TILE, small * 4.8) // `trial 107` under it
  const most = Math.max(1, Math.floor((room + gap) / (smallest + gap)))
  const bands = Math.max(1, Math.ceil(trials.length / most))
  const across = Math.max(1, Math.ceil(trials.length / bands))
  const tile = Math.min(LARGEST_TILE, (room + gap) / across - gap)
  const band = rows.length * (tile + gap) + small * 2.4
  return { left: side + label, gap, tile, bands, across, band }
}

export const reconstructionArt: Art<ReconstructionData> = {
  height(data, width, style) {
    const { bands, band } = measure(data, width, style)
    return bands * band - style.small * 0.8
  },
  draw(data, box, style) {
    const { left, gap, tile, across, band } = measure(data, box.width, style)
    const { label, small, hairline } = style
    const frames: Partial<Record<RowName, { colour: string; width: number; dash?: [number, number] }>> = {
      seen: { colour: ink.text, width: hairline },
      low: { colour: ink.axis, width: hairline, dash: [hairline, hairline * 2] },
      combined: { colour: hues[0], width: hairline },
    }
    return data.trials.flatMap(({ trial, pictures }, i): Mark[] => {
      const x = box.x + left + (i % across) * (tile + gap)
      const top = box.y + Math.floor(i / across) * band
      return [
        ...data.rows.flatMap((row, k): Mark[] => {
          const y = top + k * (tile + gap)
          const picture = pictures[row]
          return [
            ...(i % across ? [] : [text(titles[row], box.x, y + tile / 2 + label * 0.35, { size: label })]),
            ...(picture ? photograph(picture, { x, y }, tile, frames[row]) : []),
          ]
        }),
        text(`trial ${trial}`, x + tile / 2, top + data.rows.length * (tile + gap) + small * 0.9, {
          size: small,
          colour: ink.hint,
          anchor: 'middle',
          within: tile + gap,
        }),
      ]
    })
  },
  facts: ({ n }) => ({ n }),
  table: ({ trials, rows }) => [
    ['trial', 'stimulus', 'pictures'],
    ...trials.map(({ trial, stimulus }) => [trial, stimulus, rows.join(' ')]),
  ],
}
