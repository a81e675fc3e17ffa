import sharp from 'sharp'
import type { Image } from '../formats/images.ts'
import type { PaintedPicture } from './scene.ts'

/**
 * Encoded pictures by their pixels and size in print, so that a page that is laid anew encodes only what is new. A picture belongs to
 * the panel's data that hold it.
 */
const encoded = new WeakMap<Image | PaintedPicture, Map<number, Promise<Uint8Array>>>()

/**
 * A picture as PNG for a printed `width` in points at `dpi`. One with more pixels is shrunk to that resolution. One with fewer is enlarged by a
 * whole number, every pixel a square of equal ones: nothing is invented between them, and no viewer smooths them. A painted one is painted at that resolution.
 */
export function printedPng(picture: Image | PaintedPicture, width: number, dpi: number): Promise<Uint8Array> {
  const wanted = Math.max(1, Math.round((width / 72) * dpi))
  const factor = 'paint' in picture ? 1 : Math.ceil(wanted / picture.width)
  const across = factor > 1 ? picture.width * factor : wanted
  let sizes = encoded.get(picture)
  if (!sizes) encoded.set(picture, (sizes = new Map<number, Promise<Uint8Array>>()))
  const kept = sizes.get(across)
  if (kept) return kept
  const made = 'paint' in picture ? encode(picture.paint(across), across, false) : encode(picture, across, factor > 1)
  sizes.set(across, made)
  return made
}

/** Pixels per inch in print, before anything is enlarged. */
export const ownDpi = (picture: Image | PaintedPicture, width: number): number =>
  'paint' in picture ? Infinity : picture.width / (width / 72)

async function encode({ data, width, height, channels }: Image, across: number, squares: boolean): Promise<Uint8Array> {
  const down = Math.max(1, Math.round((across * height) / width))
  return sharp(data, { raw: { width, height, channels } })
    .resize(across, down, { fit: 'fill', kernel: squares ? 'nearest' : 'lanczos3' })
    .toColourspace('srgb')
    .png({ palette: false })
    .toBuffer()
}
