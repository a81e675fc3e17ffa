/**
 * Type as SVG outlines, set in Inter from its package: a figure looks the same on a server without any font installed.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { create, type Font } from 'fontkit'

export interface TypeStyle {
  /** In user units of the drawing. */
  size: number
  weight?: 400 | 500 | 600
  colour: string
  /** Which point of the line `x` names. */
  anchor?: 'start' | 'middle' | 'end'
}

// Named otherwise than `require`, which the bundler declares as well.
const nodeRequire = createRequire(import.meta.url)
const fonts = new Map<number, Font>()

function inter(weight: number): Font {
  let font = fonts.get(weight)
  if (!font) {
    const opened = create(
      readFileSync(nodeRequire.resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff`)),
    )
    if (!('layout' in opened)) throw new TypeError('Inter is a font collection')
    fonts.set(weight, (font = opened))
  }
  return font
}

/** Numbers get tabular figures, so that they stand under one another in a column (tabular hyphens would gape in words). */
function shape(text: string, weight: number) {
  const number = /^[\d.,−[\] ]+$/.test(text)
  return inter(weight).layout(text, { kern: true, ccmp: true, tnum: number, calt: false })
}

/** Width of a line of text in user units. */
export function textWidth(text: string, { size, weight = 400 }: Omit<TypeStyle, 'colour'>): number {
  return (shape(text, weight).advanceWidth * size) / inter(weight).unitsPerEm
}

/** A line of text on the baseline `y` as one SVG path. */
export function textPath(text: string, x: number, y: number, style: TypeStyle): string {
  const { size, weight = 400, colour, anchor = 'start' } = style
  const { glyphs, positions, advanceWidth } = shape(text, weight)
  const scale = size / inter(weight).unitsPerEm
  const start = x - advanceWidth * scale * { start: 0, middle: 0.5, end: 1 }[anchor]
  let pen = 0
  const outlines = glyphs.map((glyph, i) => {
    const { xAdvance, xOffset, yOffset } = positions[i]
    const outline = glyph.path.translate(pen + xOffset, yOffset).toSVG()
    pen += xAdvance
    return outline
  })
  return `<path transform="matrix(${scale} 0 0 ${-scale} ${start} ${y})" fill="${colour}" d="${outlines.join('')}"/>`
}

/** The text, cut with an ellipsis where it is wider than `width`. */
export function fitText(text: string, width: number, style: Omit<TypeStyle, 'colour'>): string {
  if (textWidth(text, style) <= width) return text
  const letters = [...text]
  while (letters.length && textWidth(`${letters.join('')}…`, style) > width) letters.pop()
  return `${letters.join('').trimEnd()}…`
}
