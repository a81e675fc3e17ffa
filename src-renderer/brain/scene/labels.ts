/** Names of outlined sets, placed where they are seen. */
import { decode } from './elementPass.ts'

export interface Label {
  name: string
  x: number
  y: number
}

const FEWEST = 6 // pixels of the small picture that a set must cover to be named
const LETTER = 6.4 // CSS pixels, about a letter of the caption type
const LINE = 15

/**
 * One label per name and hemisphere, at the pixel of the set nearest to the middle of what is seen of it. Where labels would cover each
 * other the larger set keeps its own.
 *
 * @param bytes picture of element numbers (RGBA, from the lower left), one pixel per `step` CSS pixels
 * @param split elements below and from this number on are labelled apart
 */
export function labelsFrom(
  picture: { bytes: Uint8Array; width: number; height: number; step: number },
  split: number,
  namesAt: (element: number) => readonly string[],
): Label[] {
  const { bytes, width, height, step } = picture
  const groups = new Map<string, { name: string; pixels: number[] }>()
  for (let i = 0; i < width * height; i++) {
    const element = decode(bytes, 4 * i)
    if (element < 0) continue
    for (const name of namesAt(element)) {
      const key = `${element < split} ${name}`
      const group = groups.get(key)
      if (group) group.pixels.push(i)
      else groups.set(key, { name, pixels: [i] })
    }
  }

  const placed: (Label & { half: number })[] = []
  for (const { name, pixels } of [...groups.values()].sort((a, b) => b.pixels.length - a.pixels.length)) {
    if (pixels.length < FEWEST) continue
    const [mx, my] = [mean(pixels, (i) => i % width), mean(pixels, (i) => Math.floor(i / width))]
    const off = (i: number) => ((i % width) - mx) ** 2 + (Math.floor(i / width) - my) ** 2
    const middle = pixels.reduce((best, i) => (off(i) < off(best) ? i : best))
    const half = (name.length * LETTER) / 2
    const x = ((middle % width) + 0.5) * step
    const y = (height - Math.floor(middle / width) - 0.5) * step
    if (placed.some((p) => Math.abs(p.x - x) < p.half + half + 4 && Math.abs(p.y - y) < LINE)) continue
    placed.push({ name, x, y, half })
  }
  return placed.map(({ name, x, y }) => ({ name, x, y }))
}

const mean = (list: readonly number[], of: (value: number) => number) =>
  list.reduce((sum, value) => sum + of(value), 0) / list.length
