/**
 * Type, set in Inter from its package: as SVG outlines, so that a picture looks the same on a server without any font installed, and as
 * the opened font for files whose text stays text. Everything is measured here, so lines are equally wide in each.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { create, type Font } from 'fontkit'
import type { Weight } from './scene.ts'

export interface TypeStyle {
  /** In user units of the drawing. */
  size: number
  weight?: Weight
  colour: string
  /** Which point of the line `x` names. */
  anchor?: 'start' | 'middle' | 'end'
}

// Named otherwise than `require`, which the bundler declares as well.
const nodeRequire = createRequire(import.meta.url)
const fonts = new Map<number, Font>()

/** Inter as fontkit opens it. */
export function inter(weight: Weight): Font {
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

/** A font's file for a page on the screen, as in a style sheet. */
export const interFile = (weight: Weight): Uint8Array =>
  readFileSync(nodeRequire.resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff2`))

/** Numbers get tabular figures, so that they stand under one another in a column (tabular hyphens would gape in words). */
export const isNumber = (text: string): boolean => /^[\d.,−[\] ]+$/.test(text)

/** OpenType features of a line. */
export const featuresOf = (text: string) => ({ kern: true, ccmp: true, tnum: isNumber(text), calt: false })

const shape = (text: string, weight: Weight) => inter(weight).layout(text, featuresOf(text))

/** Characters that Inter has no glyph for here: it comes with Latin letters and common signs only. */
export const missingGlyphs = (text: string): string[] =>
  [...new Set(text)].filter((character) => !inter(400).hasGlyphForCodePoint(character.codePointAt(0)!))

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
