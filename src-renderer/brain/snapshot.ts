/** The picture of the panel as a PNG: cortex, names of ROIs, colour bar and what is shown, at any scale. */
import type { ColourScale } from '../shared/colourScale.ts'
import { BAR_HEIGHT, drawColourBar } from './colourBar.ts'
import type { BrainScene } from './scene/scene.ts'

export interface SnapshotOptions {
  /** Pixels per CSS pixel. */
  scale: number
  /** On white, as papers want it, or as it is on screen. */
  onWhite: boolean
  names: boolean
  /** The line below the picture: subject, map and what it was made of. */
  caption: string
}

const PADDING = 16
/** Below the picture: colour bar and caption. */
const FOOT = BAR_HEIGHT + 2 * PADDING
const LIGHT = { text: '#161b21', quiet: '#5d6874' }
const DARK = { text: '#e6eaef', quiet: '#919ca9' }

/** @param background sRGB bytes of the screen's surround */
export async function snapshot(
  scene: BrainScene,
  colours: ColourScale | undefined,
  background: readonly [number, number, number],
  options: SnapshotOptions,
): Promise<Blob> {
  const { width, height } = scene.size
  const { scale } = options
  const ground = options.onWhite ? ([255, 255, 255] as const) : background
  const ink = ground[0] > 128 ? LIGHT : DARK
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round((height + FOOT) * scale)
  const context = canvas.getContext('2d')!
  context.fillStyle = `rgb(${ground.join(' ')})`
  context.fillRect(0, 0, canvas.width, canvas.height)
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)]
  const pixels = scene.renderToPixels(w, h, { pixel: scale, background: ground, selection: false })
  context.putImageData(new ImageData(pixels, w, h), 0, 0)

  context.scale(scale, scale)
  const font = getComputedStyle(document.body).fontFamily
  if (options.names) drawNames(context, await scene.labels(), font, ink.text, `rgb(${ground.join(' ')})`)
  context.font = `400 11px ${font}`
  context.fillStyle = ink.quiet
  context.textBaseline = 'alphabetic'
  const bar = colours ? Math.min(232, width / 2 - PADDING) : 0
  const lines = wrapped(context, options.caption, width - bar - 3 * PADDING)
  lines.forEach((line, i) => context.fillText(line, PADDING, height + PADDING + 11 + i * 16))
  if (colours)
    drawColourBar(
      context,
      colours,
      { x: width - PADDING - bar, y: height + PADDING, width: bar },
      { ...ink, anatomy: 'rgb(128 128 128)' },
      font,
    )
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture is too large'))), 'image/png'),
  )
}

/** With a halo, so that names are read on every colour of data. */
export function drawNames(
  context: CanvasRenderingContext2D,
  labels: readonly { name: string; x: number; y: number }[],
  font: string,
  ink: string,
  halo: string,
) {
  context.save()
  context.font = `600 11px ${font}`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.lineJoin = 'round'
  context.lineWidth = 3
  context.strokeStyle = halo
  context.fillStyle = ink
  for (const { name, x, y } of labels) {
    context.strokeText(name, x, y)
    context.fillText(name, x, y)
  }
  context.restore()
}

function wrapped(context: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word
    if (lines.length && context.measureText(longer).width <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}
