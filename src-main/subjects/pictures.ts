import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, normalize, parse, sep } from 'node:path'
import type { ArrayEntry } from '../formats/array.ts'
import { formatError } from '../base/errors.ts'
import { decodeImage, type Image, resizeImage } from '../formats/images.ts'
import { BLOCK_BYTES } from './facts.ts'
import { type Inventory, type SourceFile, toFloat32 } from './inventory.ts'

export type ImageShape = { height: number; width: number; channels: 1 | 3 }

/** Pictures that can be read in any order: (indices.length, H, W, C), upright, 0..255. */
export interface Pictures {
  count: number
  image: ImageShape
  /** How they are stored, in words. */
  stored: string
  read(indices: ArrayLike<number>): Uint8Array | Promise<Uint8Array>
}

/** How flat pictures (n, H * W * C) lie in memory: row after row, or MATLAB's column after column. */
export type PixelOrder = 'rows' | 'columns'

const bytesPerPicture = ({ height, width, channels }: ImageShape): number => height * width * channels

/** Where the axes of one picture are: element (y, x, c) lies at y * down + x * right + c * colour. */
interface Axes extends ImageShape {
  down: number
  right: number
  colour: number
  words: string
}

function axesOf(shape: readonly number[], order: PixelOrder, where: string): Axes {
  const [, a, b, c] = shape
  if (shape.length === 2)
    for (const channels of [1, 3] as const) {
      const side = Math.sqrt(a / channels)
      if (!Number.isInteger(side) || side < 2) continue
      const base = { height: side, width: side, channels }
      return order === 'columns'
        ? { ...base, down: 1, right: side, colour: side * side, words: 'stored column by column, turned upright' }
        : { ...base, down: side * channels, right: channels, colour: 1, words: 'stored row by row' }
    }
  if (shape.length === 3)
    return { height: a, width: b, channels: 1, down: b, right: 1, colour: 0, words: 'height, width' }
  if (shape.length === 4 && (c === 1 || c === 3))
    return { height: a, width: b, channels: c, down: b * c, right: c, colour: 1, words: 'height, width, colour' }
  if (shape.length === 4 && (a === 1 || a === 3))
    return { height: b, width: c, channels: a, down: c, right: 1, colour: b * c, words: 'colour, height, width' }
  throw formatError(
    where,
    'shape of the pictures',
    '(n, pixels) with a square number of pixels, (n, H, W), (n, H, W, 3) or (n, 3, H, W)',
    `[${shape}]`,
  )
}

/** Calls `visit` for each stretch of consecutive indices. */
function inStretches(indices: ArrayLike<number>, visit: (first: number, n: number, at: number) => void): void {
  for (let at = 0; at < indices.length;) {
    let n = 1
    while (at + n < indices.length && indices[at + n] === indices[at] + n) n++
    visit(indices[at], n, at)
    at += n
  }
}

/**
 * Pictures held as arrays of numbers, one per row; several arrays (train, test) count on. Values are 0..255, or [0, 1] when none
 * of the pictures sampled exceeds 1. Throws a format error for shapes that are no pictures and for values outside 0..255.
 */
export function arrayPictures(entries: readonly ArrayEntry[], order: PixelOrder, where: string): Pictures {
  const axes = axesOf(entries[0].shape, order, where)
  for (const entry of entries)
    if (entry.shape.slice(1).join() !== entries[0].shape.slice(1).join())
      throw formatError(
        where,
        entry.name,
        `pictures of shape [${entries[0].shape.slice(1)}]`,
        `[${entry.shape.slice(1)}]`,
      )
  const { height, width, channels } = axes
  const size = height * width * channels
  const unit = highest(entries, size, where) <= 1
  const count = entries.reduce((n, entry) => n + entry.shape[0], 0)

  const factor = unit ? 255 : 1
  // Bytes in the order that we keep, as NSD's pictures are, need no second look.
  const asStored = !unit && axes.down === width * channels && axes.right === channels
  function readPicture(values: Float32Array, from: number, out: Uint8Array): void {
    let at = 0
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < channels; c++) {
          const value = values[from + y * axes.down + x * axes.right + c * axes.colour] * factor
          if (!(value >= 0 && value < 255.5))
            throw formatError(where, 'pixel values', unit ? 'values in [0, 1]' : 'values in 0..255', String(value))
          out[at++] = value + 0.5
        }
  }

  return {
    count,
    image: { height, width, channels },
    stored: `${axes.words}, values in ${unit ? '[0, 1]' : '0..255'}`,
    read(indices) {
      const out = new Uint8Array(indices.length * size)
      inStretches(indices, (first, n, at) => {
        let offset = 0
        for (const entry of entries) {
          const [start, stop] = [Math.max(first, offset), Math.min(first + n, offset + entry.shape[0])]
          if (start < stop) {
            const stored = entry.readRows(start - offset, stop - offset)
            if (asStored && stored.data instanceof Uint8Array) out.set(stored.data, (at + start - first) * size)
            else {
              const values = toFloat32(stored)
              for (let i = start; i < stop; i++)
                readPicture(
                  values,
                  (i - start) * size,
                  out.subarray((at + i - first) * size, (at + i - first + 1) * size),
                )
            }
          }
          offset += entry.shape[0]
        }
      })
      return out
    },
  }
}

/** The largest of the values: of all where they fit into a block, else of 64 pictures spread over each array. */
function highest(entries: readonly ArrayEntry[], size: number, where: string): number {
  let high = 0
  for (const entry of entries) {
    const n = entry.shape[0]
    const all = n * size * 8 <= BLOCK_BYTES
    const blocks = all
      ? [[0, n]]
      : Array.from({ length: 64 }, (_, i) => [Math.floor((i * n) / 64), Math.floor((i * n) / 64) + 1])
    for (const [start, stop] of blocks)
      for (const x of toFloat32(entry.readRows(start, stop))) {
        if (!(x >= 0)) throw formatError(where, 'pixel values', 'values in [0, 1] or 0..255', String(x))
        if (x > high) high = x
      }
  }
  return high
}

const LONGEST_SIDE = 512

/**
 * Pictures held as PNG, JPEG … bytes. All get one size, that of the first (at most 512 pixels a side) unless another is asked
 * for: others are cropped around their centre to its shape and resized; `resized()` counts them so far.
 */
export async function encodedPictures(
  count: number,
  bytesOf: (index: number) => { bytes: Uint8Array; name: string },
  size?: { height: number; width: number },
): Promise<Pictures & { resized(): number }> {
  const decode = async (index: number): Promise<Image> => {
    const { bytes, name } = bytesOf(index)
    return decodeImage(bytes, name)
  }
  const first = await decode(0)
  const shrink = Math.min(1, LONGEST_SIDE / Math.max(first.height, first.width))
  const height = size?.height ?? Math.round(first.height * shrink)
  const width = size?.width ?? Math.round(first.width * shrink)
  const image: ImageShape = { height, width, channels: 3 }
  const resized = new Set<number>()
  return {
    count,
    image,
    stored: `${first.width} x ${first.height} pixels in image files`,
    resized: () => resized.size,
    async read(indices) {
      const out = new Uint8Array(indices.length * bytesPerPicture(image))
      for (let i = 0; i < indices.length; i++) {
        let picture = await decode(indices[i])
        if (picture.height !== height || picture.width !== width) {
          resized.add(indices[i])
          picture = await resizeImage(cropCentre(picture, width / height), width, height)
        }
        putColour(picture, out.subarray(i * height * width * 3, (i + 1) * height * width * 3))
      }
      return out
    },
  }
}

/** Pictures in files of their own. */
export function filePictures(
  files: readonly SourceFile[],
  size?: { height: number; width: number },
): ReturnType<typeof encodedPictures> {
  return encodedPictures(files.length, (i) => ({ bytes: readFileSync(files[i].path), name: files[i].name }), size)
}

/** Finds an image file by the end of its path, its name, or its name without extension; the first candidate that fits wins. */
export function imageFinder(inventory: Inventory): (...candidates: (string | undefined)[]) => SourceFile | undefined {
  const files = inventory.images()
  const byName = new Map<string, SourceFile>()
  for (const file of files) {
    byName.set(parse(file.name).name, file)
    byName.set(file.name, file)
  }
  return (...candidates) => {
    for (const wanted of candidates) {
      if (!wanted) continue
      const byPath = /[\\/]/.test(wanted)
        ? files.find(({ path }) => path.endsWith(`${sep}${normalize(wanted)}`))
        : undefined
      const found = byPath ?? byName.get(basename(wanted)) ?? byName.get(parse(wanted).name)
      if (found) return found
    }
    return undefined
  }
}

/** The largest centred part of this aspect ratio (width / height). */
export function cropCentre(image: Image, aspect: number): Image {
  const width = Math.max(1, Math.min(image.width, Math.round(image.height * aspect)))
  const height = Math.max(1, Math.min(image.height, Math.round(image.width / aspect)))
  if (width === image.width && height === image.height) return image
  const left = (image.width - width) >> 1
  const top = (image.height - height) >> 1
  const data = new Uint8Array(width * height * image.channels)
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * image.channels
    data.set(image.data.subarray(from, from + width * image.channels), y * width * image.channels)
  }
  return { data, width, height, channels: image.channels }
}

/** Copies pixels (H, W, 3); grey ones become three equal channels. */
export function putColour(image: Image, out: Uint8Array): void {
  if (image.channels === 3) out.set(image.data)
  else for (let i = 0; i < image.data.length; i++) out.fill(image.data[i], i * 3, i * 3 + 3)
}

/** Finds equal pictures: `stimulus` gives each picture's distinct one, `first` where each distinct one first occurs. Reads all, in blocks. */
export async function distinctPictures(pictures: Pictures): Promise<{ stimulus: Int32Array; first: Int32Array }> {
  const size = bytesPerPicture(pictures.image)
  const known = new Map<string, number>()
  const first: number[] = []
  const stimulus = new Int32Array(pictures.count)
  const rows = Math.max(1, Math.floor(BLOCK_BYTES / size))
  for (let start = 0; start < pictures.count; start += rows) {
    const indices = Array.from({ length: Math.min(rows, pictures.count - start) }, (_, i) => start + i)
    const block = await pictures.read(indices)
    for (const i of indices) {
      const hash = createHash('sha1')
        .update(block.subarray((i - start) * size, (i - start + 1) * size))
        .digest('hex')
      let at = known.get(hash)
      if (at === undefined) {
        known.set(hash, (at = first.length))
        first.push(i)
      }
      stimulus[i] = at
    }
  }
  return { stimulus, first: Int32Array.from(first) }
}

/** Names for pictures that have none: `image-0001` … in order of appearance. */
export function imageIds(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `image-${String(i + 1).padStart(4, '0')}`)
}
