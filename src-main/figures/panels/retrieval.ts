import type { Image } from '../../formats/images.ts'
import { line, number, photograph, text, widest } from '../marks.ts'
import type { Mark } from '../scene.ts'
import { mm } from '../scene.ts'
import type { Style } from '../style.ts'
import { correct, ink } from '../style.ts'
import { textWidth } from '../type.ts'
import type { Art } from './art.ts'

export interface RetrievalData {
  kind: 'retrieval'
  /** Distinct images to choose from, and held-out trials that were asked. */
  pool: number
  n: number
  trials: {
    /** Row of the subject's trial table. */
    trial: number
    stimulus: string
    /** Place of the seen image; halves where tied. */
    rank: number
    seen: Image
    /** Most similar first. */
    found: { stimulus: string; similarity: number; correct: boolean; picture: Image }[]
  }[]
}

const SMALLEST_TILE = mm(9)
const LARGEST_TILE = mm(16)

const rankText = (rank: number) => `rank ${Number.isInteger(rank) ? rank : rank.toFixed(1)}`

/**
 * Where everything stands: `blocks` columns of trials, each with its label, the seen image and what it retrieved, as many of the best as fit in
 * tiles wide enough for what is written under them.
 */
function measure({ trials }: RetrievalData, width: number, { small, label }: Style) {
  const lines = trials.flatMap(({ trial, rank }) => [`trial ${trial}`, rankText(rank)])
  const side = widest(lines, small) + small * 0.8
  const [gap, aside, gutter] = [small * 0.5, small * 1.6, small * 3]
  const smallest = Math.max(SMALLEST_TILE, small * 4) // the right one's similarity with its tick
  const found = Math.max(1, ...trials.map((trial) => trial.found.length))
  const fitting = Math.floor((width - side - smallest - aside + gap) / (smallest + gap))
  const shown = Math.max(1, Math.min(found, fitting))
  const around = side + aside + (shown - 1) * gap
  const blockOf = (tile: number) => around + (shown + 1) * tile
  const blocks = Math.max(1, Math.min(trials.length, Math.floor((width + gutter) / (blockOf(smallest) + gutter))))
  const room = (width - (blocks - 1) * gutter) / blocks
  const tile = Math.min(LARGEST_TILE, (room - around) / (shown + 1))
  const rows = Math.ceil(trials.length / blocks)
  const row = tile + small * 2.1
  return { shown, side, gap, aside, tile, rows, pitch: blockOf(tile) + gutter, head: label * 1.5, row }
}

export const retrievalArt: Art<RetrievalData> = {
  height(data, width, style) {
    const { head, rows, row } = measure(data, width, style)
    return head + rows * row
  },
  draw(data, box, style) {
    const { shown, side, gap, aside, tile, rows, pitch, head, row } = measure(data, box.width, style)
    const { small, hairline } = style
    const hint = { size: small, colour: ink.hint, anchor: 'middle' } as const
    return data.trials.flatMap(({ trial, rank, seen, found }, i): Mark[] => {
      const left = box.x + Math.floor(i / rows) * pitch
      const y = box.y + head + (i % rows) * row
      const seenX = left + side
      const foundX = (k: number) => seenX + tile + aside + k * (tile + gap)
      const headings =
        i % rows
          ? []
          : [
              text('seen', seenX + tile / 2, y - small * 0.6, hint),
              ...Array.from({ length: shown }, (_, k) =>
                text(k || shown === 1 ? `${k + 1}` : 'best', foundX(k) + tile / 2, y - small * 0.6, hint),
              ),
            ]
      return [
        ...headings,
        text(`trial ${trial}`, left, y + small, { size: small }),
        text(rankText(rank), left, y + small * 2.3, { size: small, colour: ink.label }),
        ...photograph(seen, { x: seenX, y }, tile, { colour: ink.text, width: hairline }),
        ...found.slice(0, shown).flatMap((one, k) => answer(one, { x: foundX(k), y }, tile, style)),
      ]
    })
  },
  facts: ({ n }) => ({ n }),
  table: ({ trials }) => [
    ['trial', 'seen', 'rank_of_seen', 'place', 'retrieved', 'cosine_similarity', 'correct'],
    ...trials.flatMap(({ trial, stimulus, rank, found }) =>
      found.map((one, k) => [trial, stimulus, rank, k + 1, one.stimulus, one.similarity, `${one.correct}`]),
    ),
  ],
}

/** A retrieved image with its similarity; the right one in a frame, with a tick, so that colour is not the only sign. */
function answer(
  { picture, similarity, correct: isRight }: RetrievalData['trials'][number]['found'][number],
  place: { x: number; y: number },
  tile: number,
  { small, hairline }: Style,
): Mark[] {
  const value = number(similarity, 2)
  const [width, tick] = [textWidth(value, { size: small }), isRight ? small : 0]
  const start = place.x + (tile - width - tick) / 2
  const baseline = place.y + tile + small * 1.25
  const colour = isRight ? correct.text : ink.label
  const stroke = Math.max(0.75, hairline)
  return [
    ...photograph(picture, place, tile, isRight ? { colour: correct.frame, width: stroke * 2 } : undefined),
    ...(isRight ? [line(tickPath(start, baseline, small), colour, stroke)] : []),
    text(value, start + tick, baseline, { size: small, colour, weight: isRight ? 600 : 400 }),
  ]
}

const tickPath = (x: number, y: number, size: number) => {
  const at = (across: number, up: number) => `${(x + across * size).toFixed(2)},${(y - up * size).toFixed(2)}`
  return `M${at(0, 0.35)}L${at(0.25, 0.08)}L${at(0.68, 0.66)}`
}
