/** Draws a colour bar from the very scale that colours the cortex, on screen and in exports alike. */
import type { ColourScale } from '../shared/colourScale.ts'
import { compact, quantity } from '../shared/format.ts'

export interface BarInk {
  text: string
  quiet: string
  /** Behind what has no colour: the grey of anatomy. */
  anatomy: string
}

export const BAR_HEIGHT = 46
const TOP = 18 // the title's line
const THICK = 10

/**
 * Title above, the colours, ticks and numbers below. Values below the threshold are the grey that they are on the cortex.
 *
 * @param context scaled so that one unit is a CSS pixel; draws into (x, y) to (x + width, y + BAR_HEIGHT)
 */
export function drawColourBar(
  context: CanvasRenderingContext2D,
  scale: ColourScale,
  place: { x: number; y: number; width: number },
  ink: BarInk,
  font: string,
) {
  const { x, y, width } = place
  const [lower, upper] = scale.limits
  const at = (value: number) => x + ((value - lower) / (upper - lower)) * width
  context.save()
  context.textBaseline = 'alphabetic'
  context.font = `500 11px ${font}`
  context.fillStyle = ink.text
  context.textAlign = 'left'
  const title = fitted(context, [scale.title, scale.unit].filter(Boolean).join(', '), width)
  context.fillText(title, x, y + 11)
  const left = width - context.measureText(title).width
  context.font = `400 11px ${font}`
  context.fillStyle = ink.quiet
  context.textAlign = 'right'
  // What is shown matters more than the name of its colours.
  if (context.measureText(scale.map).width + 10 < left) context.fillText(scale.map, x + width, y + 11)

  const columns = Math.max(1, Math.round(width * (context.getTransform().a || 1)))
  const column = width / columns
  for (let i = 0; i < columns; i++) {
    const rgb = scale.rgb(lower + ((i + 0.5) / columns) * (upper - lower))
    context.fillStyle = rgb ? `rgb(${rgb.join(' ')})` : ink.anatomy
    context.fillRect(x + i * column, y + TOP, column + 0.5, THICK)
  }

  context.fillStyle = ink.text
  let taken = -Infinity
  const ticks = scale.ticks()
  ticks.forEach(({ value, kind }, i) => {
    const px = Math.min(x + width - 1, Math.max(x, at(value) - 0.5))
    context.fillRect(px, y + TOP + (kind === 'threshold' ? -2 : THICK), 1, kind === 'threshold' ? THICK + 5 : 3)
    const text = i === ticks.length - 1 ? quantity(compact(value), '') : compact(value)
    const half = context.measureText(text).width / 2
    const middle = Math.min(x + width - half, Math.max(x + half, at(value)))
    const isLast = kind === 'limit' && value === upper
    const room = isLast ? true : middle + half < x + width - context.measureText(compact(upper)).width - 6
    if (middle - half < taken || !room) return
    context.textAlign = 'center'
    context.fillText(text, middle, y + TOP + THICK + 14)
    taken = middle + half + 6
  })
  context.restore()
}

/** The scale in words, for those who do not see it. */
export function scaleText(scale: ColourScale): string {
  const [lower, upper] = scale.limits
  const threshold = scale.threshold ? `; below ${quantity(scale.threshold, scale.unit)} anatomy is shown` : ''
  return `${scale.title}: ${compact(lower)} to ${quantity(upper, scale.unit)}, colour map ${scale.map}${threshold}`
}

function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text
  let short = text
  while (short.length > 1 && context.measureText(`${short}…`).width > width) short = short.slice(0, -1)
  return `${short}…`
}
