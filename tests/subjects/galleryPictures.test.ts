import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeImage, encodePng } from '../../src-main/formats/images.ts'
import { openNpy } from '../../src-main/formats/npy.ts'
import { openFile } from '../../src-main/formats/source.ts'
import {
  galleryPicture,
  HASH_BYTES,
  listGallery,
  pictureHash,
  writeGallerySheet,
  writeGallerySlice,
} from '../../src-main/subjects/galleryPictures.ts'

const quiet = { signal: new AbortController().signal, progress: () => {} }
let folder: string
const put = (name: string, bytes: Uint8Array) => fs.writeFileSync(join(folder, name), bytes)
const plain = (width: number, height: number, colour: number[]) =>
  encodePng({
    width,
    height,
    channels: 3,
    data: Uint8Array.from(Array.from({ length: width * height }, () => colour).flat()),
  })

beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gallery-pictures-'))
  fs.mkdirSync(join(folder, 'deep'))
  put('deep/a.png', await plain(20, 10, [200, 0, 0]))
  put('b.png', await plain(8, 8, [30, 60, 90]))
  put('broken.png', Buffer.from('\x89PNG\r\n\x1a\nnothing', 'latin1'))
  put('notes.txt', Buffer.from('nothing at all'))
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

describe('a folder as gallery', () => {
  test('is listed by what its files are, in the order of their names', async () => {
    const { images, fingerprint } = await listGallery({ folder }, quiet)
    expect(images.map(({ name }) => name)).toEqual(['b.png', 'broken.png', 'deep/a.png'])
    put('c.png', await plain(4, 4, [0, 0, 0]))
    expect((await listGallery({ folder }, quiet)).fingerprint).not.toBe(fingerprint)
    fs.rmSync(join(folder, 'c.png'))
    expect((await listGallery({ folder }, quiet)).fingerprint).toBe(fingerprint)
    await expect(listGallery({ folder: join(folder, 'none') }, quiet)).rejects.toThrow(/no folder at this path/)
    for (const name of ['b.png', 'broken.png', 'deep/a.png']) fs.rmSync(join(folder, name))
    await expect(listGallery({ folder }, quiet)).rejects.toThrow(/PNG, JPEG, WebP or TIFF pictures, found .* 1 other/)
  })

  test('gets the shape of the subject’s images, in colour or grey; a damaged picture is told by its hash', async () => {
    const { images } = await listGallery({ folder }, quiet)
    const file = join(folder, 'slice.npy')
    const read = async (channels: 1 | 3) => {
      const { hashes } = await writeGallerySlice(
        { folder, images, image: { height: 6, width: 6, channels }, file },
        quiet,
      )
      const npy = openNpy(openFile(file))
      const { shape, data } = npy.arrays[0].read()
      npy.close()
      return { shape, data: data as Uint8Array, hashes }
    }
    const colour = await read(3)
    expect(colour.shape).toEqual([3, 6, 6, 3])
    expect([...colour.data.slice(0, 3)]).toEqual([30, 60, 90])
    expect([...colour.data.slice(-3)]).toEqual([200, 0, 0])
    const hashOf = (i: number) => Buffer.from(colour.hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
    expect(hashOf(0).equals(Buffer.from(pictureHash(colour.data.subarray(0, 108))))).toBe(true)
    expect(hashOf(1).every((byte) => byte === 0)).toBe(true)
    const grey = await read(1)
    expect(grey.shape).toEqual([3, 6, 6, 1])
    expect(grey.data[0]).toBe(Math.round(0.299 * 30 + 0.587 * 60 + 0.114 * 90))
  })

  test('that has changed since it was listed is refused', async () => {
    const { images } = await listGallery({ folder }, quiet)
    put('b.png', await plain(90, 90, [1, 2, 3]))
    const slice = { folder, images, image: { height: 6, width: 6, channels: 3 as const }, file: join(folder, 'x.npy') }
    await expect(writeGallerySlice(slice, quiet)).rejects.toThrow(/b.png: expected the image that was registered/)
  })

  test('has thumbnails on a sheet, row after row, and single pictures', async () => {
    const { images } = await listGallery({ folder }, quiet)
    const file = join(folder, 'sheet.jpg')
    const { damaged } = await writeGallerySheet({ folder, images, tile: 16, columns: 2, file }, quiet)
    expect(damaged).toEqual(['broken.png'])
    const sheet = await decodeImage(fs.readFileSync(file), 'sheet')
    expect([sheet.width, sheet.height]).toEqual([32, 32])
    const at = (x: number, y: number) => [...sheet.data.subarray((y * 32 + x) * 3, (y * 32 + x) * 3 + 3)]
    const near = (found: number[], wanted: number[]) =>
      found.forEach((value, i) => expect(Math.abs(value - wanted[i])).toBeLessThan(12))
    near(at(8, 8), [30, 60, 90])
    near(at(24, 8), [128, 128, 128])
    near(at(8, 24), [200, 0, 0])
    const { jpeg } = await galleryPicture({ folder, images: [images[2]], side: 10 })
    const picture = await decodeImage(jpeg, 'picture')
    expect([picture.width, picture.height]).toEqual([10, 5])
    await expect(galleryPicture({ folder, images: [images[1]], side: 10 })).rejects.toThrow(/broken.png/)
  })
})
