import sharp from 'sharp'
import { fitText, textPath, textWidth } from './type.ts'

/** Pixels (height, width, channels) in C order, 8 bits. */
export interface Picture {
  width: number
  height: number
  channels: 1 | 3
  data: Uint8Array
}

export interface ContactSheetRow {
  /** Such as `Trial 12`. */
  label: string
  /** Such as the stimulus id or the run. */
  detail?: string
  seen: Picture
  /** What stands beside the seen picture, one per column of the sheet; `value`, if any, is written below it, `correct` frames it. */
  tiles: { picture: Picture; value?: number; correct?: boolean }[]
  /** Place of the seen image among the pool; halves where tied. */
  rank: number
}

export interface ContactSheet {
  run: string
  /** Such as `subj01 · small-study · 200 epochs`. */
  subject: string
  split: string
  /** Distinct images to choose from. */
  poolSize: number
  /** Scores over all test trials, not only those shown. */
  scores: { label: string; mean: number; ci95: [number, number]; chance: number }[]
  /** Number of trials the scores are over. */
  n: number
  /** What stands above the tiles, and how many are shown; from `seen` on the first column. */
  columns: string[]
  /** What the numbers below tiles are, and the frames. */
  legend: string
  rows: ContactSheetRow[]
}

const MOST_ROWS = 24

// User units; the picture has twice as many pixels.
const DENSITY = 2
const LARGEST_TILE = 64
const MARGIN = 28
const LABEL = 84
const GAP = 8
const AFTER_SEEN = 22
const UNDER_TILE = 30
const GUTTER = 40
const TITLES = 56
const SCORE_LINE = 32
const HEADINGS = 24
const FOOTER = 34

const ink = { text: '#161B21', label: '#47525E', hint: '#5D6874', line: '#D5DBE1', well: '#E9E9E9' }
const ok = { mark: '#009E73', chip: '#CDEEE2', ink: '#00513F' }

/** Where a row's pictures stand; `tile` is their side. */
interface Layout {
  tile: number
  column: number
  width: number
}

function layOut(rows: ContactSheetRow[], columns: number): Layout {
  const side = Math.max(1, ...rows.slice(0, 1).map(({ seen }) => Math.max(seen.width, seen.height)))
  // Small pictures are enlarged by a whole number, so that their pixels stay squares of one size.
  const tile = side <= LARGEST_TILE ? side * Math.round(LARGEST_TILE / side) : LARGEST_TILE
  const column = LABEL + tile + AFTER_SEEN + columns * (tile + GAP) - GAP
  return { tile, column, width: 2 * MARGIN + 2 * column + GUTTER }
}

function tileX(x: number, place: number, tile: number): number {
  return x + LABEL + tile + AFTER_SEEN + place * (tile + GAP)
}

/**
 * One line per test trial: the seen image and the tiles of the columns, each with its value, a right one in a frame with a tick,
 * and the rank of the right one. Of more than 24 trials, 24 evenly spaced ones are shown.
 * Returns a PNG, 180 mm wide at its stated density.
 */
export async function renderContactSheet(sheet: ContactSheet): Promise<Uint8Array> {
  const shown = Math.min(sheet.rows.length, MOST_ROWS)
  const rows = Array.from({ length: shown }, (_, i) => sheet.rows[Math.floor((i * sheet.rows.length) / shown)])
  const layout = layOut(rows, sheet.columns.length)
  const { tile, column, width } = layout
  const perColumn = Math.ceil(shown / 2)

  const titles = header(sheet, width)
  const drawing = [...titles.drawing]
  const pictures: { picture: Picture; x: number; y: number }[] = []
  rows.forEach((row, i) => {
    const x = MARGIN + Math.floor(i / perColumn) * (column + GUTTER)
    const y = titles.bottom + HEADINGS + (i % perColumn) * (tile + UNDER_TILE)
    if (i % perColumn === 0) drawing.push(...headings(sheet.columns, x, titles.bottom, tile))
    const tiles = row.tiles.slice(0, sheet.columns.length)
    drawing.push(...rowMarks(row, tiles, x, y, tile))
    pictures.push({ picture: row.seen, x: x + LABEL, y })
    tiles.forEach(({ picture }, k) => pictures.push({ picture, x: tileX(x, k, tile), y }))
  })
  const height = titles.bottom + HEADINGS + perColumn * (tile + UNDER_TILE) + FOOTER
  drawing.push(footer(sheet, shown, width, height))

  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width * DENSITY}" height="${height * DENSITY}"
    viewBox="0 0 ${width} ${height}"><rect width="${width}" height="${height}" fill="#FFFFFF"/>${drawing.join('')}</svg>`
  const enlarged = await Promise.all(
    pictures.map(async ({ picture, x, y }) => ({
      input: await enlarge(picture, tile * DENSITY),
      raw: { width: tile * DENSITY, height: tile * DENSITY, channels: 3 as const },
      left: x * DENSITY,
      top: y * DENSITY,
    })),
  )
  return sharp(Buffer.from(svg))
    .flatten({ background: '#FFFFFF' })
    .composite(enlarged)
    .withMetadata({ density: Math.round((width * DENSITY * 25.4) / 180) })
    .png()
    .toBuffer()
}

/** RGB pixels, (side, side, 3), with neutral grey around a picture that is not square. */
async function enlarge({ width, height, channels, data }: Picture, side: number): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels } })
    .toColourspace('srgb')
    .resize(side, side, {
      fit: 'contain',
      background: ink.well,
      kernel: Math.max(width, height) <= LARGEST_TILE ? 'nearest' : 'lanczos3',
    })
    .removeAlpha()
    .raw()
    .toBuffer()
}

/** Run, split and pool, then the scores, as many to a line as fit; `bottom` is where the rows may begin. */
function header(sheet: ContactSheet, width: number): { drawing: string[]; bottom: number } {
  const inside = width - 2 * MARGIN
  const title = { size: 20, weight: 600, colour: ink.text } as const
  const plain = { size: 13, colour: ink.label } as const
  const what = `${sheet.subject} · split ${sheet.split} · pool of ${sheet.poolSize} distinct images · ${sheet.n} test trials`
  const drawing = [
    textPath(fitText(sheet.run, inside, title), MARGIN, MARGIN + 17, title),
    textPath(fitText(what, inside, plain), MARGIN, MARGIN + 40, plain),
  ]
  let x = MARGIN
  let y = MARGIN + TITLES + 24
  for (const { label, mean, ci95, chance } of sheet.scores) {
    const parts = [
      { text: label, style: plain, after: 10 },
      { text: decimals(mean), style: title, after: 8 },
      { text: `[${decimals(ci95[0])}, ${decimals(ci95[1])}]`, style: { ...plain, colour: ink.text }, after: 14 },
      { text: `chance ${decimals(chance)}`, style: { ...plain, colour: ink.hint }, after: 40 },
    ]
    const length = parts.reduce((sum, { text, style, after }) => sum + textWidth(text, style) + after, 0)
    if (x > MARGIN && x + length > width - MARGIN) {
      x = MARGIN
      y += SCORE_LINE
    }
    for (const { text, style, after } of parts) {
      drawing.push(textPath(text, x, y, style))
      x += textWidth(text, style) + after
    }
  }
  const rule = y + 20
  drawing.push(`<path d="M${MARGIN} ${rule}H${width - MARGIN}" stroke="${ink.line}"/>`)
  return { drawing, bottom: rule + 14 }
}

function headings(columns: readonly string[], x: number, y: number, tile: number): string[] {
  const style = { size: 12, colour: ink.hint, anchor: 'middle' } as const
  return [
    textPath('seen', x + LABEL + tile / 2, y + 12, style),
    ...columns.map((title, k) => textPath(title, tileX(x, k, tile) + tile / 2, y + 12, style)),
  ]
}

function rowMarks(row: ContactSheetRow, tiles: ContactSheetRow['tiles'], x: number, y: number, tile: number): string[] {
  const label = { size: 13, weight: 500, colour: ink.text } as const
  const small = { size: 12, colour: ink.hint } as const
  const drawing = [textPath(fitText(row.label, LABEL - 8, label), x, y + 14, label)]
  if (row.detail) drawing.push(textPath(fitText(row.detail, LABEL - 8, small), x, y + 31, small))
  drawing.push(...rankMark(row.rank, x, y + 40), outline(x + LABEL, y, tile, 1, ink.text))

  tiles.forEach(({ value, correct }, k) => {
    const left = tileX(x, k, tile)
    const text = value === undefined ? '' : decimals(value)
    const style = correct
      ? ({ size: 12, weight: 600, colour: ok.ink } as const)
      : ({ size: 12, colour: ink.label } as const)
    const tickWidth = correct ? 14 : 0
    const start = left + (tile - textWidth(text, style) - tickWidth) / 2
    const baseline = y + tile + 16
    if (correct) drawing.push(outline(left, y, tile, 3, ok.mark), tick(start, baseline - 9, ok.ink))
    drawing.push(textPath(text, start + tickWidth, baseline, style))
  })
  return drawing
}

/** A filled chip with a tick for rank 1, plain text for any other. */
function rankMark(rank: number, x: number, y: number): string[] {
  const text = `rank ${Number.isInteger(rank) ? rank : rank.toFixed(1)}`
  if (rank > 1) return [textPath(text, x, y + 14, { size: 12, colour: ink.label })]
  const style = { size: 12, weight: 500, colour: ok.ink } as const
  const width = textWidth(text, style) + 27
  return [
    `<rect x="${x}" y="${y}" width="${width}" height="20" rx="4" fill="${ok.chip}"/>`,
    tick(x + 6, y + 5, ok.ink),
    textPath(text, x + 20, y + 14, style),
  ]
}

/** A frame outside the picture, so that no pixel of it is covered. */
function outline(x: number, y: number, side: number, thickness: number, colour: string): string {
  const out = thickness / 2
  return `<rect x="${x - out}" y="${y - out}" width="${side + thickness}" height="${side + thickness}"
    fill="none" stroke="${colour}" stroke-width="${thickness}"/>`
}

function tick(x: number, y: number, colour: string): string {
  return `<path d="M${x} ${y + 5.5}l3.5 3.5l6 -7.5" fill="none" stroke="${colour}" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"/>`
}

function footer(sheet: ContactSheet, shown: number, width: number, height: number): string {
  const style = { size: 12, colour: ink.hint } as const
  const all = sheet.rows.length
  const which = shown < all ? `${shown} of ${all} trials, evenly spaced. ` : ''
  const text = `${which}${sheet.legend} Brackets: 95 % interval over images.`
  return textPath(fitText(text, width - 2 * MARGIN, style), MARGIN, height - 16, style)
}

function decimals(value: number): string {
  const places = value < 0.01 && value > 0 ? 4 : value < 0.1 && value > 0 ? 3 : 2
  return value.toFixed(places).replace('-', '−')
}
