import sharp, { type Sharp } from 'sharp'
import { MindEyeError, formatError } from '../base/errors.ts'

/** An upright picture, rows from the top, 8 bits a channel, pixels interleaved: `data.length = height * width * channels`. */
export interface Image {
  data: Uint8Array
  width: number
  height: number
  channels: 1 | 3
}

export interface DecodedImage extends Image {
  /** What decoding changed, for the import report: alpha flattened, 16 bits scaled to 8, rotated, further pages left out. */
  notes: string[]
}

/** The expansion budget: more pixels than this (75 MB of RGB, a second to decode at worst) are refused from the header alone. */
export const maxPixels = 25_000_000

// Decoded operations are never asked for twice here, so libvips' cache would only hold memory.
sharp.cache(false)

type ImageFormat = 'png' | 'jpeg' | 'webp' | 'tiff'

/** Format by its first bytes: libvips also opens SVG, GIF and others, which may not reach it. */
export function imageFormat(head: Uint8Array): ImageFormat | undefined {
  const text = String.fromCharCode(...head.subarray(0, 12))
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png'
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg'
  if (text.startsWith('RIFF') && text.slice(8) === 'WEBP') return 'webp'
  // Classic TIFF in either byte order, and BigTIFF
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return 'tiff'
  return undefined
}

/**
 * Decodes PNG, JPEG, WebP or TIFF bytes to 8-bit grey or sRGB, turned upright by its EXIF orientation.
 * Transparency is flattened on white, 16-bit samples are scaled to 8, an embedded colour profile is converted to sRGB.
 * Throws a format error for other formats, damaged or cut files, and pictures above `maxPixels`.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<DecodedImage> {
  const format = imageFormat(bytes)
  if (!format)
    throw formatError(
      name,
      'first bytes',
      'a PNG, JPEG, WebP or TIFF signature',
      hex(bytes.subarray(0, 8)),
      'Convert the picture to PNG.',
    )
  try {
    const header = await sharp(bytes, { limitInputPixels: false }).metadata()
    const pixels = header.width * header.height
    if (!(pixels > 0 && pixels <= maxPixels))
      throw formatError(
        name,
        'width x height',
        `1 to ${maxPixels} pixels`,
        `${header.width} x ${header.height}`,
        'Scale the picture down.',
      )
    if (header.format !== format) throw formatError(name, 'contents', `a ${format} picture`, String(header.format))

    const notes: string[] = []
    const input = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 }).autoOrient()
    if (header.hasAlpha) {
      notes.push('transparency flattened on white')
      input.flatten({ background: '#ffffff' })
    }
    if (header.depth !== 'uchar') notes.push(`${header.depth} samples scaled to 8 bits`)
    if ((header.orientation ?? 1) > 1) notes.push(`turned upright (EXIF orientation ${header.orientation})`)
    if ((header.pages ?? 1) > 1) notes.push(`first of ${header.pages} pages`)
    const grey = header.space === 'b-w' || header.space === 'grey16'
    const { data, info } = await input
      .toColourspace(grey ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 1 && info.channels !== 3)
      throw formatError(name, 'channels', '1 or 3 after flattening', String(info.channels))
    return { data: own(data), width: info.width, height: info.height, channels: info.channels, notes }
  } catch (error) {
    if (error instanceof MindEyeError) throw error
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw formatError(
      name,
      'contents',
      `an intact ${format} picture`,
      `"${reason}"`,
      'The file is cut short or damaged.',
    )
  }
}

/** PNG bytes of a picture, without metadata, so that equal pixels give equal files. */
export async function encodePng(image: Image): Promise<Uint8Array> {
  return own(await pixels(image).toColourspace(space(image)).png().toBuffer())
}

/** JPEG bytes of a picture for the screen, colour at full resolution. */
export async function encodeJpeg(image: Image, quality: number): Promise<Uint8Array> {
  return own(await pixels(image).toColourspace(space(image)).jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer())
}

/** Resizes to exactly `width` x `height` (aspect ratio is not kept) with a Lanczos filter that antialiases when it shrinks. */
export async function resizeImage(image: Image, width: number, height: number): Promise<Image> {
  const { data, info } = await pixels(image)
    .resize(width, height, { fit: 'fill' })
    .toColourspace(space(image))
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { data: own(data), width: info.width, height: info.height, channels: image.channels }
}

function pixels({ data, width, height, channels }: Image): Sharp {
  if (data.length !== width * height * channels)
    throw new RangeError(`${data.length} bytes are not a ${width} x ${height} picture of ${channels} channels`)
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
}

const space = (image: Image) => (image.channels === 1 ? 'b-w' : 'srgb')

/** A plain view: a Buffer would behave differently in slice() and in structured clones. */
function own(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

function hex(bytes: Uint8Array): string {
  return bytes.length ? [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ') : 'an empty file'
}
