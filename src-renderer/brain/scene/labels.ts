/** Names of outlined sets, placed where they are seen. */
import type { Content } from './content.ts'
import { decode } from './elementPass.ts'
import type { Outline } from './types.ts'

export interface Label {
  name: string
  x: number
  y: number
}

const FEWEST = 5 // pixels of the small picture that a set must cover to be named
const LETTER = 6.4 // CSS pixels, about a letter of the caption type
const LINE = 14

/**
 * One label per outline and hemisphere, at the pixel of the set nearest to the middle of what is seen of it. Where labels would cover each
 * other the larger set keeps its own.
 *
 * @param bytes picture of element numbers (RGBA, from the lower left), one pixel per `step` CSS pixels
 */
export function labelsFrom(
  bytes: Uint8Array,
  width: number,
  height: number,
  outlines: readonly Outline[],
  content: Content,
  step: number,
): Label[] {
  const keys = content.keys.array
  const groups = new Map<number, number[]>() // 2 * outline + hemisphere: its pixels
  for (let i = 0; i < width * height; i++) {
    const element = decode(bytes, 4 * i)
    if (element < 0 || element >= content.elements || keys[element] === 0) continue
    const side = content.what(element)?.side === 'right' ? 1 : 0
    for (let bit = 0; bit < outlines.length; bit++) {
      if (!((keys[element] >>> bit) & 1)) continue
      const group = groups.get(2 * bit + side)
      if (group) group.push(i)
      else groups.set(2 * bit + side, [i])
    }
  }

  const placed: (Label & { half: number })[] = []
  for (const [group, pixels] of [...groups].sort(([, a], [, b]) => b.length - a.length)) {
    if (pixels.length < FEWEST) continue
    const [mx, my] = [mean(pixels, (i) => i % width), mean(pixels, (i) => Math.floor(i / width))]
    const off = (i: number) => ((i % width) - mx) ** 2 + (Math.floor(i / width) - my) ** 2
    const middle = pixels.reduce((best, i) => (off(i) < off(best) ? i : best))
    const { name } = outlines[group >> 1]
    const half = (name.length * LETTER) / 2
    const x = ((middle % width) + 0.5) * step
    const y = (height - Math.floor(middle / width) - 0.5) * step
    if (placed.some((p) => Math.abs(p.x - x) < p.half + half && Math.abs(p.y - y) < LINE)) continue
    placed.push({ name, x, y, half })
  }
  return placed.map(({ name, x, y }) => ({ name, x, y }))
}

const mean = (list: readonly number[], of: (value: number) => number) =>
  list.reduce((sum, value) => sum + of(value), 0) / list.length
