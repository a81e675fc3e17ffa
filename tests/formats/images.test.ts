import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { decodeImage, encodePng, maxPixels, resizeImage } from '../../src-main/formats/images.ts'
import { failure } from '../support/failure.ts'

const fixture = (name: string) =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../fixtures/formats/${name}`, import.meta.url))))

/** The picture of makeB.py: pixel (y, x) = (30y, 30x, 10(x + y)), 7 wide and 5 high. */
const picture = (y: number, x: number) => [30 * y, 30 * x, 10 * (x + y)]
const flat = (height: number, width: number, at: (y: number, x: number) => number[]) =>
  Array.from({ length: height * width }, (_, i) => at(Math.floor(i / width), i % width)).flat()

describe('decodeImage', () => {
  test.each(['rgb.png', 'rgb.webp', 'rgb.tif'])('%s equals the pixels that Pillow wrote', async (name) => {
    const image = await decodeImage(fixture(name), name)
    expect(image).toMatchObject({ width: 7, height: 5, channels: 3, notes: [] })
    expect([...image.data]).toEqual(flat(5, 7, picture))
  })

  test('JPEG within 4 levels', async () => {
    const image = await decodeImage(fixture('rgb.jpg'), 'rgb.jpg')
    const expected = flat(40, 56, (y, x) => picture(y >> 3, x >> 3))
    expect([image.width, image.height, image.channels]).toEqual([56, 40, 3])
    expect(Math.max(...image.data.map((v, i) => Math.abs(v - expected[i])))).toBeLessThanOrEqual(4)
  })

  test('EXIF orientation turns the picture upright', async () => {
    const image = await decodeImage(fixture('turned.jpg'), 'turned.jpg')
    expect([image.width, image.height]).toEqual([40, 56])
    // a quarter clockwise: the left column, read upwards, becomes the first row
    const expected = flat(56, 40, (y, x) => picture((39 - x) >> 3, y >> 3))
    expect(Math.max(...image.data.map((v, i) => Math.abs(v - expected[i])))).toBeLessThanOrEqual(4)
    expect(image.notes.join()).toContain('turned upright')
  })

  test('grey stays one channel, 16 bits are scaled to 8', async () => {
    const grey = await decodeImage(fixture('grey.png'), 'grey.png')
    expect([grey.channels, [...grey.data]]).toEqual([1, flat(5, 7, (y) => [30 * y])])
    const deep = await decodeImage(fixture('grey16.png'), 'grey16.png')
    const expected = flat(5, 7, (y) => [(y * 13000 + 77) / 257])
    expect([deep.width, deep.height, deep.channels]).toEqual([7, 5, 1])
    expect(Math.max(...[...deep.data].map((v, i) => Math.abs(v - expected[i])))).toBeLessThan(1)
    expect(deep.notes).toEqual(['ushort samples scaled to 8 bits'])
  })

  test('transparency is flattened on white and noted', async () => {
    const image = await decodeImage(fixture('alpha.png'), 'alpha.png')
    expect([...image.data]).toEqual(flat(5, 7, (y, x) => (x < 3 ? [255, 255, 255] : picture(y, x))))
    expect(image.notes).toEqual(['transparency flattened on white'])
  })

  test('refuses what it does not know, cut files and pictures beyond the budget', async () => {
    const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>')
    expect((await failure(decodeImage(svg, 'a.png'))).parts).toMatchObject({ where: 'a.png', field: 'first bytes' })
    expect((await failure(decodeImage(new Uint8Array(0), 'none.png'))).parts.found).toBe('an empty file')
    for (const name of ['rgb.png', 'rgb.jpg', 'rgb.webp', 'rgb.tif'])
      await failure(decodeImage(fixture(name).subarray(0, fixture(name).length >> 1), name))

    const huge = fixture('rgb.png').slice()
    const header = new DataView(huge.buffer)
    header.setUint32(16, 60_000)
    header.setUint32(20, 60_000)
    header.setUint32(29, crc32(huge.subarray(12, 29)))
    const error = await failure(decodeImage(huge, 'huge.png'))
    expect(error.parts).toMatchObject({ field: 'width x height', expected: `1 to ${maxPixels} pixels` })
  })
})

test('encodePng and decodeImage are inverse for both channel counts', async () => {
  for (const channels of [1, 3] as const) {
    const image = { width: 6, height: 4, channels, data: Uint8Array.from({ length: 24 * channels }, (_, i) => i * 3) }
    const back = await decodeImage(await encodePng(image), 'back.png')
    expect({ ...back, notes: undefined }).toEqual({ ...image, notes: undefined })
  }
  await expect(encodePng({ width: 6, height: 4, channels: 3, data: new Uint8Array(5) })).rejects.toThrow('5 bytes')
})

test('resizeImage keeps channels and averages when it shrinks', async () => {
  const checker = Uint8Array.from({ length: 32 * 32 }, (_, i) => ((i + Math.floor(i / 32)) % 2) * 255)
  const small = await resizeImage({ width: 32, height: 32, channels: 1, data: checker }, 4, 8)
  expect([small.width, small.height, small.channels, small.data.length]).toEqual([4, 8, 1, 32])
  for (const v of small.data) expect(Math.abs(v - 127.5)).toBeLessThan(12)
})
