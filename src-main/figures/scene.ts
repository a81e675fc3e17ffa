import type { Image } from '../formats/images.ts'

/*
 * A page of figures as plain data: what the screen shows and every file is made from, so that they cannot differ. There is no transparency
 * in it (journals want none): a band is a light colour. Lengths are in points (1/72 inch) from the upper left corner of the page.
 */

export interface Stroke {
  colour: string
  width: number
  /** Lengths of dash and gap. */
  dash?: [number, number]
}

/** Outlines in the words of an SVG path, absolute. */
export interface PathMark {
  kind: 'path'
  panel?: string
  d: string
  fill?: string
  stroke?: Stroke
}

export type Weight = 400 | 500 | 600 | 700

/** One line of type; `x`, `y` lie on its baseline. */
export interface TextMark {
  kind: 'text'
  panel?: string
  text: string
  x: number
  y: number
  size: number
  weight: Weight
  colour: string
  /** Which point of the line `x` names. */
  anchor: 'start' | 'middle' | 'end'
  /** Read from bottom to top. */
  turned?: boolean
}

/** A picture that is made anew for every resolution, e.g. of the cortex. */
export interface PaintedPicture {
  /** Its shape, in any unit. */
  width: number
  height: number
  /** The same picture, `across` pixels wide. */
  paint(across: number): Image
}

/** A picture at the size at which it is printed; each file enlarges, shrinks or paints its pixels by itself. */
export interface ImageMark {
  kind: 'image'
  panel?: string
  x: number
  y: number
  width: number
  height: number
  picture: Image | PaintedPicture
}

export type Mark = PathMark | TextMark | ImageMark

export interface Box {
  x: number
  y: number
  width: number
  height: number
}

/** What a reader must be told of a panel with scores. */
export interface PanelFacts {
  /** Of what the scores are of. */
  n?: number
  /** Whether every estimate has its interval; undefined where nothing is estimated. */
  intervals?: boolean
}

export interface ScenePanel {
  id: string
  /** As printed. */
  letter: string
  title: string
  box: Box
  facts: PanelFacts
}

export interface Scene {
  title: string
  width: number
  height: number
  panels: ScenePanel[]
  marks: Mark[]
}

export const POINTS_PER_MM = 72 / 25.4

/** Millimetres in points. */
export const mm = (millimetres: number): number => millimetres * POINTS_PER_MM

/** At most two decimals: 0.0035 mm. */
export const round = (value: number): number => Math.round(value * 100) / 100

/** A rectangle's outline; `out` widens it on all sides. */
export function rectangle({ x, y, width, height }: Box, out = 0): string {
  const [left, top, right, bottom] = [x - out, y - out, x + width + out, y + height + out].map(round)
  return `M${left},${top}H${right}V${bottom}H${left}Z`
}
