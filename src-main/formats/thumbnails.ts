import sharp, { type ResizeOptions, type Sharp } from 'sharp'
import type { Image } from './images.ts'

/**
 * PNG of a picture whose longer side is at least `size` pixels if it is enlarged (by a whole factor, without smoothing, so that a
 * figure of 28 x 28 stays one), and exactly `size` if it is shrunk.
 */
export async function thumbnailPng(image: Image, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const longer = Math.max(image.width, image.height)
  const factor = Math.ceil(size / longer)
  const [width, height] =
    longer < size
      ? [image.width * factor, image.height * factor]
      : [image.width, image.height].map((side) => Math.max(1, Math.round((side * size) / longer)))
  return Uint8Array.from(await resized(image, width, height).png({ compressionLevel: 6 }).toBuffer())
}

/**
 * WebP of many pictures in one, `columns` to a row, each fitted into a square cell of `cell` pixels on a transparent ground: a long
 * list of pictures scrolls without a request for each.
 */
export async function atlasWebp(
  images: readonly Image[],
  cell: number,
  columns: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const rows = Math.max(1, Math.ceil(images.length / columns))
  const width = columns * cell
  const ground = { r: 0, g: 0, b: 0, alpha: 0 }
  const pixels = new Uint8Array(width * rows * cell * 4)
  const tiles = await Promise.all(
    images.map((image) =>
      resized(image, cell, cell, { fit: 'contain', background: ground }).ensureAlpha().raw().toBuffer(),
    ),
  )
  tiles.forEach((tile, i) => {
    const [left, top] = [(i % columns) * cell, Math.floor(i / columns) * cell]
    for (let y = 0; y < cell; y++)
      pixels.set(tile.subarray(y * cell * 4, (y + 1) * cell * 4), ((top + y) * width + left) * 4)
  })
  // Few pixels enlarged have hard edges, which a lossy code would smear.
  const isTiny = images.every((image) => Math.max(image.width, image.height) < cell)
  const options = isTiny ? { lossless: true, effort: 2 } : { quality: 82, effort: 2 }
  const raw = { width, height: rows * cell, channels: 4 } as const
  return Uint8Array.from(await sharp(pixels, { raw }).webp(options).toBuffer())
}

function resized(
  { data, width, height, channels }: Image,
  toWidth: number,
  toHeight: number,
  options: ResizeOptions = { fit: 'fill' },
): Sharp {
  const isEnlarged = toWidth > width || toHeight > height
  return sharp(data, { raw: { width, height, channels } })
    .toColourspace('srgb')
    .resize(toWidth, toHeight, { ...options, kernel: isEnlarged ? 'nearest' : 'lanczos3' })
}
