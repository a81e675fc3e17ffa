/**
 * Makes a folder of many small distinct pictures, to measure galleries with: `node bench/page/makeGallery.ts FOLDER [COUNT]`
 * (73,000 by default, as many as the images of NSD, in about a minute; 290 MB on a disk of 4 KB blocks).
 * Each is a grid of colours seeded by its number.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { Random } from '../../src-main/nn/random.ts'

const SIDE = 128
const CELLS = 4
const PER_FOLDER = 1000
const AT_ONCE = 64

const [folder, text = '73000'] = process.argv.slice(2)
const count = Number(text)
if (!folder || !Number.isInteger(count) || count < 1) {
  console.error('usage: node bench/page/makeGallery.ts FOLDER [COUNT]')
  process.exit(1)
}

/** CELLS x CELLS colours, (side, side, 3). */
function pictureOf(number: number): Buffer {
  const random = new Random(number).split('gallery')
  const colours = Array.from({ length: CELLS * CELLS }, () => [0, 1, 2].map(() => 40 + random.int(200)))
  const data = Buffer.alloc(SIDE * SIDE * 3)
  for (let y = 0, at = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      for (const value of colours[Math.floor((y * CELLS) / SIDE) * CELLS + Math.floor((x * CELLS) / SIDE)])
        data[at++] = value
  return data
}

const started = performance.now()
for (let first = 0; first < count; first += AT_ONCE) {
  const numbers = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, i) => first + i)
  for (const number of numbers)
    if (number % PER_FOLDER === 0) mkdirSync(join(folder, folderOf(number)), { recursive: true })
  await Promise.all(
    numbers.map((number) =>
      sharp(pictureOf(number), { raw: { width: SIDE, height: SIDE, channels: 3 } })
        .jpeg({ quality: 80 })
        .toFile(join(folder, folderOf(number), `${String(number).padStart(6, '0')}.jpg`)),
    ),
  )
  if (first % (64 * AT_ONCE) === 0) process.stderr.write(`\r${first} of ${count}`)
}
process.stderr.write(`\r${count} pictures in ${((performance.now() - started) / 1000).toFixed(1)} s\n`)

function folderOf(number: number): string {
  return String(Math.floor(number / PER_FOLDER)).padStart(3, '0')
}
