import type { ImageMark, Mark, PathMark, Scene, TextMark, Weight } from './scene.ts'
import { POINTS_PER_MM, round } from './scene.ts'
import { printedPng } from './picturePixels.ts'
import { interFile, isNumber, textPath } from './type.ts'

export interface SvgOptions {
  /** Pixels per inch of pictures in print. */
  dpi: number
  /** Type as text with the font in the file, or as outlines that need none. */
  text: 'live' | 'outlines'
  /** Written on the root element: lengths such as `183mm`, or whole pixels. */
  size?: { width: string; height: string }
  /** An XMP packet's content (RDF). */
  metadata?: string
}

/** The page as SVG; user units are points. */
export async function writeSvg(scene: Scene, { dpi, text, size, metadata }: SvgOptions): Promise<string> {
  const written = await Promise.all(scene.marks.map((mark) => element(mark, dpi, text)))
  const inMm = (points: number) => `${round(points / POINTS_PER_MM)}mm`
  const { width, height } = size ?? { width: inMm(scene.width), height: inMm(scene.height) }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${round(scene.width)} ${round(scene.height)}">`,
    `<title>${escapeXml(scene.title)}</title>`,
    ...(metadata ? [`<metadata>${metadata}</metadata>`] : []),
    ...(text === 'live' ? [`<style>${fontFaces(scene)}${STYLE}</style>`] : []),
    `<rect width="${round(scene.width)}" height="${round(scene.height)}" fill="#FFFFFF"/>`,
    ...grouped(scene.marks, written),
    '</svg>',
  ].join('\n')
}

// The very features that lines are measured with; Illustrator and Inkscape take the font by its name if it is installed.
const STYLE =
  'text{font-family:Inter,Helvetica,Arial,sans-serif;font-kerning:normal;font-feature-settings:"calt" 0;text-rendering:geometricPrecision}' +
  '.number{font-variant-numeric:tabular-nums}'

function fontFaces({ marks }: Scene): string {
  const weights = new Set(marks.flatMap((mark): Weight[] => (mark.kind === 'text' ? [mark.weight] : [])))
  return [...weights]
    .sort()
    .map((weight) => {
      const file = Buffer.from(interFile(weight)).toString('base64')
      return `@font-face{font-family:Inter;font-weight:${weight};src:url(data:font/woff2;base64,${file})}`
    })
    .join('')
}

/** A panel's marks in a group of its id, so that they can be picked as one in a drawing program. */
function grouped(marks: readonly Mark[], written: readonly string[]): string[] {
  const lines: string[] = []
  let open: string | undefined
  marks.forEach(({ panel }, i) => {
    if (panel !== open) {
      if (open !== undefined) lines.push('</g>')
      if (panel !== undefined) lines.push(`<g id="${escapeXml(panel)}">`)
      open = panel
    }
    lines.push(written[i])
  })
  if (open !== undefined) lines.push('</g>')
  return lines
}

async function element(mark: Mark, dpi: number, text: SvgOptions['text']): Promise<string> {
  if (mark.kind === 'path') return pathElement(mark)
  if (mark.kind === 'text') return text === 'live' ? textElement(mark) : outlined(mark)
  return imageElement(mark, dpi)
}

function pathElement({ d, fill = 'none', stroke }: PathMark): string {
  const line = stroke
    ? ` stroke="${stroke.colour}" stroke-width="${stroke.width}" stroke-linejoin="round"${stroke.dash ? ` stroke-dasharray="${stroke.dash.join(' ')}"` : ''}`
    : ''
  return `<path d="${d}" fill="${fill}"${line}/>`
}

function textElement({ text, x, y, size, weight, colour, anchor, turned }: TextMark): string {
  const turn = turned ? ` transform="rotate(-90 ${round(x)} ${round(y)})"` : ''
  const number = isNumber(text) ? ' class="number"' : ''
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" fill="${colour}" text-anchor="${anchor}"${number}${turn}>${escapeXml(text)}</text>`
}

function outlined({ text, x, y, turned, ...style }: TextMark): string {
  const path = textPath(text, x, y, style)
  return turned ? `<g transform="rotate(-90 ${round(x)} ${round(y)})">${path}</g>` : path
}

async function imageElement({ x, y, width, height, picture }: ImageMark, dpi: number): Promise<string> {
  const png = Buffer.from(await printedPng(picture, width, dpi)).toString('base64')
  const place = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`
  return `<image ${place} preserveAspectRatio="none" href="data:image/png;base64,${png}"/>`
}

export const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character]!)
