import sharp, { type Sharp } from 'sharp'
import type { Scene } from './scene.ts'
import { writeSvg } from './writeSvg.ts'

export interface RasterOptions {
  dpi: number
  /** An XMP packet. */
  xmp: string
}

/** The page as pixels at `dpi`, RGB without alpha, all of its type drawn as outlines. */
async function draw(scene: Scene, { dpi, xmp }: RasterOptions): Promise<Sharp> {
  const pixels = (points: number) => Math.round((points / 72) * dpi)
  const size = { width: `${pixels(scene.width)}`, height: `${pixels(scene.height)}` }
  const svg = await writeSvg(scene, { dpi, text: 'outlines', size })
  return sharp(Buffer.from(svg), { unlimited: true })
    .flatten({ background: '#FFFFFF' })
    .removeAlpha()
    .withMetadata({ density: dpi })
    .withXmp(xmp)
}

/** A PNG that states its resolution. */
export async function writePng(scene: Scene, options: RasterOptions): Promise<Uint8Array> {
  return (await draw(scene, options)).png().toBuffer()
}

/** A TIFF as journals want them: LZW, flat, resolution in pixels per inch. */
export async function writeTiff(scene: Scene, options: RasterOptions): Promise<Uint8Array> {
  const perMm = options.dpi / 25.4
  return (await draw(scene, options))
    .tiff({ compression: 'lzw', predictor: 'horizontal', xres: perMm, yres: perMm, resolutionUnit: 'inch' })
    .toBuffer()
}
