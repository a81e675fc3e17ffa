import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { decodeImage, encodeJpeg, imageFormat, resizeImage } from '../formats/images.ts'
import type { Image } from '../formats/images.ts'
import { encodeNpy } from '../formats/npy.ts'
import type { ImageShape } from './pictures.ts'
import { cropCentre, putColour } from './pictures.ts'

/** Some images of a folder, by their paths below it, with the bytes they had when they were listed. */
export interface GallerySlice {
  folder: string
  images: readonly { name: string; size: number }[]
}

export interface ListedGallery {
  images: { name: string; size: number }[]
  /** Of names and sizes. */
  fingerprint: string
}

const MOST_IMAGES = 1_000_000
const MOST_DEPTH = 8
/** Files looked at between two chances to abort. */
const STRIDE = 200
/** libvips decodes several pictures at once. */
const AT_ONCE = 4

/** Bytes of a picture's hash. */
export const HASH_BYTES = 16

const breathe = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The pictures below a folder in the order of their paths, told by their first bytes. Throws an input error when there are none. */
export async function listGallery(
  { folder }: { folder: string },
  { signal, progress }: RunOptions,
): Promise<ListedGallery> {
  const images: ListedGallery['images'] = []
  let others = 0
  const visit = async (path: string, below: string, depth: number): Promise<void> => {
    const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue
      const [full, name] = [join(path, entry.name), below + entry.name]
      const stat = entry.isSymbolicLink() ? statSync(full, { throwIfNoEntry: false }) : entry
      if (stat?.isDirectory()) {
        if (depth < MOST_DEPTH) await visit(full, `${name}/`, depth + 1)
      } else if (stat?.isFile()) {
        const size = isPicture(full) ? statSync(full).size : undefined
        if (size === undefined) others++
        else images.push({ name, size })
        if ((images.length + others) % STRIDE === 0) {
          signal.throwIfAborted()
          progress({ phase: 'list the images', done: images.length, total: 0 })
          await breathe()
        }
      }
      if (images.length > MOST_IMAGES) throw galleryError(folder, `at most ${MOST_IMAGES} images`, 'more')
    }
  }
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw galleryError(folder, 'a folder of images', 'no folder at this path')
  await visit(folder, '', 0)
  if (!images.length)
    throw galleryError(
      folder,
      'a folder with PNG, JPEG, WebP or TIFF pictures',
      `${folder}, with ${others} other files`,
    )
  const hash = createHash('sha256')
  for (const { name, size } of images) hash.update(`${name}\t${size}\n`)
  return { images, fingerprint: `names-sha256:${hash.digest('hex')}` }
}

const galleryError = (where: string, expected: string, found: string): MindEyeError =>
  new MindEyeError({ kind: 'input', where, expected, found, fix: 'Point at a folder of images.' })

function isPicture(path: string): boolean {
  const head = new Uint8Array(12)
  const fd = openSync(path, 'r')
  try {
    return readSync(fd, head, 0, head.length, 0) === head.length && imageFormat(head) !== undefined
  } finally {
    closeSync(fd)
  }
}

/** Images of a slice cropped around their centre to the shape and resized, (n, H, W, C); one that is damaged is missing. */
async function readSlice({ folder, images }: GallerySlice, shape: ImageShape): Promise<(Uint8Array | undefined)[]> {
  const out: (Uint8Array | undefined)[] = []
  for (let at = 0; at < images.length; at += AT_ONCE) {
    const some = images.slice(at, at + AT_ONCE)
    out.push(...(await Promise.all(some.map((image) => readOne(folder, image, shape)))))
  }
  return out
}

async function readOne(folder: string, image: GallerySlice['images'][number], shape: ImageShape) {
  const picture = await decode(folder, image)
  if (!picture) return undefined
  const { height, width, channels } = shape
  const fits = picture.height === height && picture.width === width
  const resized = fits ? picture : await resizeImage(cropCentre(picture, width / height), width, height)
  if (resized.channels === channels) return resized.data
  const colour = new Uint8Array(height * width * 3)
  if (channels === 3) {
    putColour(resized, colour)
    return colour
  }
  return greyOf(resized.data)
}

/** A picture, undefined when it is damaged; throws when it is not the one that was listed. */
async function decode(folder: string, { name, size }: GallerySlice['images'][number]): Promise<Image | undefined> {
  const path = join(folder, name)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.size !== size)
    throw new MindEyeError({
      kind: 'state',
      where: path,
      expected: `the image that was registered, ${size} bytes`,
      found: stat ? `${stat.size} bytes` : 'no such file',
      fix: 'The folder has changed: remove the gallery and add it again.',
    })
  try {
    return await decodeImage(readFileSync(path), name)
  } catch (error) {
    if (error instanceof MindEyeError && error.parts.kind === 'format') return undefined
    throw error
  }
}

/** Luma (ITU-R BT.601) of interleaved RGB; grey pictures come back as they were. */
function greyOf(colour: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: colour.length / 3 }, (_, i) =>
    Math.round(0.299 * colour[3 * i] + 0.587 * colour[3 * i + 1] + 0.114 * colour[3 * i + 2]),
  )
}

/** Tells pictures of one shape apart: the first bytes of the SHA-256 of their pixels. */
export const pictureHash = (pixels: Uint8Array): Uint8Array =>
  createHash('sha256').update(pixels).digest().subarray(0, HASH_BYTES)

/**
 * Writes a slice's pictures into the .npy `file`, (n, H, W, C) uint8. Returns their hashes, (n, 16); a damaged picture is black and
 * its hash is all zeros.
 */
export async function writeGallerySlice(
  { image: shape, file, ...slice }: GallerySlice & { image: ImageShape; file: string },
  { signal }: RunOptions,
): Promise<{ hashes: Uint8Array }> {
  const { height, width, channels } = shape
  const size = height * width * channels
  const data = new Uint8Array(slice.images.length * size)
  const hashes = new Uint8Array(slice.images.length * HASH_BYTES)
  signal.throwIfAborted()
  for (const [i, pixels] of (await readSlice(slice, shape)).entries()) {
    if (!pixels) continue
    data.set(pixels, i * size)
    hashes.set(pictureHash(pixels), i * HASH_BYTES)
  }
  writeFileAtomic(file, encodeNpy({ dtype: 'uint8', shape: [slice.images.length, height, width, channels], data }))
  return { hashes }
}

/** Where thumbnails lie on a sheet: `columns` tiles of `tile` x `tile` pixels to a row, row after row. */
export interface SheetShape {
  tile: number
  columns: number
}

/** Writes the thumbnails of a slice as one JPEG. Returns the names of pictures that are damaged; their tiles are grey. */
export async function writeGallerySheet(
  { tile, columns, file, ...slice }: GallerySlice & SheetShape & { file: string },
  { signal }: RunOptions,
): Promise<{ damaged: string[] }> {
  signal.throwIfAborted()
  const tiles = await readSlice(slice, { height: tile, width: tile, channels: 3 })
  const [width, height] = [columns * tile, Math.ceil(tiles.length / columns) * tile]
  const data = new Uint8Array(width * height * 3).fill(128)
  for (const [i, pixels] of tiles.entries()) {
    if (!pixels) continue
    const start = Math.floor(i / columns) * tile * width + (i % columns) * tile
    for (let y = 0; y < tile; y++) data.set(pixels.subarray(y * tile * 3, (y + 1) * tile * 3), (start + y * width) * 3)
  }
  writeFileAtomic(file, await encodeJpeg({ data, width, height, channels: 3 }, 82))
  return { damaged: slice.images.flatMap(({ name }, i) => (tiles[i] ? [] : [name])) }
}

/** One picture as JPEG for the screen, whole, at most `side` pixels a side. Throws a format error when it is damaged. */
export async function galleryPicture({
  side,
  ...slice
}: GallerySlice & { side: number }): Promise<{ jpeg: Uint8Array }> {
  const [image] = slice.images
  const picture = await decode(slice.folder, image)
  if (!picture)
    throw new MindEyeError({ kind: 'format', where: image.name, expected: 'an intact picture', found: 'a damaged one' })
  const shrink = Math.min(1, side / Math.max(picture.width, picture.height))
  const [width, height] = [picture.width, picture.height].map((n) => Math.max(1, Math.round(n * shrink)))
  const fitted = shrink < 1 ? await resizeImage(picture, width, height) : picture
  return { jpeg: await encodeJpeg(fitted, 90) }
}
