import type { Image } from '../formats/images.ts'
import type { Box, ImageMark, PathMark, TextMark } from './scene.ts'
import { rectangle, round } from './scene.ts'
import { ink } from './style.ts'
import { fitText, textWidth } from './type.ts'

type TextOptions = Partial<Pick<TextMark, 'weight' | 'colour' | 'anchor' | 'turned'>> & {
  size: number
  /** Cut with an ellipsis where it is wider. */
  within?: number
}

/** A line of type on the baseline `y`. */
export function text(line: string, x: number, y: number, { within, ...options }: TextOptions): TextMark {
  const weight = options.weight ?? 400
  const shown = within === undefined ? line : fitText(line, within, { size: options.size, weight })
  return { kind: 'text', text: shown, x, y, colour: ink.text, anchor: 'start', ...options, weight }
}

/** Width of the widest line. */
export const widest = (lines: readonly string[], size: number): number =>
  Math.max(0, ...lines.map((line) => textWidth(line, { size })))

export const line = (d: string, colour: string, width: number, dash?: [number, number]): PathMark => ({
  kind: 'path',
  d,
  stroke: { colour, width, dash },
})

export const horizontal = (x0: number, x1: number, y: number): string => `M${round(x0)},${round(y)}H${round(x1)}`
export const vertical = (x: number, y0: number, y1: number): string => `M${round(x)},${round(y0)}V${round(y1)}`

export const filled = (box: Box, fill: string): PathMark => ({ kind: 'path', d: rectangle(box), fill })

/** A disc around a value. */
export function dot(x: number, y: number, radius: number, fill: string): PathMark {
  const [left, right, r] = [round(x - radius), round(x + radius), round(radius)]
  return {
    kind: 'path',
    d: `M${left},${round(y)}A${r},${r},0,1,1,${right},${round(y)}A${r},${r},0,1,1,${left},${round(y)}Z`,
    fill,
  }
}

/** A picture in a square of `side`, as large as its shape allows, with its frame outside so that no pixel is covered. */
export function photograph(
  picture: Image,
  { x, y }: { x: number; y: number },
  side: number,
  frame?: { colour: string; width: number; dash?: [number, number] },
): [ImageMark, ...PathMark[]] {
  const scale = side / Math.max(picture.width, picture.height)
  const [width, height] = [picture.width * scale, picture.height * scale]
  const box = { x: x + (side - width) / 2, y: y + (side - height) / 2, width, height }
  const image: ImageMark = { kind: 'image', ...box, picture }
  if (!frame) return [image]
  return [image, line(rectangle(box, frame.width / 2), frame.colour, frame.width, frame.dash)]
}

/** A number with a true minus sign. */
export const number = (value: number, digits: number): string => value.toFixed(digits).replace('-', '−')
