import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { renderContactSheet, type ContactSheet, type Picture } from '../../src-main/figures/contactSheet.ts'

/** A flat 32 x 32 picture whose colour tells it from all others. */
function flat(red: number, green: number, blue: number, side = 32): Picture {
  const data = new Uint8Array(side * side * 3)
  for (let i = 0; i < side * side; i++) data.set([red, green, blue], 3 * i)
  return { width: side, height: side, channels: 3, data }
}

function sheet(rows: ContactSheet['rows']): ContactSheet {
  return {
    run: 'run-7',
    subject: 'sim01 · demo',
    split: 'shipped',
    poolSize: 5,
    scores: [{ label: 'Top-1', mean: 0.5, ci95: [0.1, 0.9], chance: 0.2 }],
    n: rows.length,
    columns: ['retrieved 1', '2', '3', '4', '5'],
    legend: 'Numbers: similarity.',
    rows,
  }
}

interface Box {
  left: number
  top: number
  right: number
  bottom: number
  count: number
}

async function pixels(png: Uint8Array) {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)]
  const find = (colour: number[]): Box => {
    const box = { left: Infinity, top: Infinity, right: -1, bottom: -1, count: 0 }
    for (let y = 0; y < info.height; y++)
      for (let x = 0; x < info.width; x++) {
        const i = (y * info.width + x) * 3
        if (data[i] !== colour[0] || data[i + 1] !== colour[1] || data[i + 2] !== colour[2]) continue
        box.left = Math.min(box.left, x)
        box.top = Math.min(box.top, y)
        box.right = Math.max(box.right, x)
        box.bottom = Math.max(box.bottom, y)
        box.count++
      }
    return box
  }
  return { ...info, at, find }
}

const framed = [0, 158, 115] // the mark of the right image
const colours = [0, 1, 2, 3, 4].map((i) => [200, 40 * i, 250])

const row = (correct: number, rank: number): ContactSheet['rows'][number] => ({
  label: 'Trial 1',
  seen: flat(10, 20, 30),
  tiles: colours.map(([r, g, b], k) => ({
    picture: flat(r, g, b),
    value: 0.9 - 0.3 * k,
    correct: k === correct,
  })),
  rank,
})

describe('contact sheet', () => {
  it('shows the seen image and the five retrieved ones in order, pixel for pixel twice or more as large', async () => {
    const image = await pixels(await renderContactSheet(sheet([row(1, 2)])))
    const boxes = [[10, 20, 30], ...colours].map(image.find)
    for (const [i, { left, top, right, bottom, count }] of boxes.entries()) {
      expect([right - left + 1, bottom - top + 1, count]).toEqual([128, 128, 128 * 128])
      expect(top).toBe(boxes[0].top)
      if (i) expect(left).toBeGreaterThan(boxes[i - 1].right)
    }
  })

  it('frames the right image only, without covering it', async () => {
    const image = await pixels(await renderContactSheet(sheet([row(3, 4)])))
    const right = image.find(colours[3])
    const frame = image.find(framed)
    expect([frame.left, frame.top, frame.right, frame.bottom]).toEqual([
      right.left - 6,
      right.top - 6,
      right.right + 6,
      right.bottom + 6,
    ])
    const missed = await pixels(await renderContactSheet(sheet([row(-1, 9)])))
    expect(missed.find(framed).count).toBe(0)
  })

  it('enlarges small grey pictures by a whole number, so that all pixels are squares of one size', async () => {
    const checks = Uint8Array.from({ length: 28 * 28 }, (_, i) => (((i % 28) + Math.floor(i / 28)) % 2 ? 77 : 177))
    const grey: Picture = { width: 28, height: 28, channels: 1, data: checks }
    const image = await pixels(await renderContactSheet(sheet([{ ...row(-1, 9), seen: grey, tiles: [] }])))
    const { left, top, right } = image.find([77, 77, 77])
    expect(right - left + 1).toBe(112)
    for (let y = 0; y < 28; y++)
      for (let x = 0; x < 28; x++)
        for (const inside of [0, 3])
          expect(image.at(left + 4 * x + inside, top + 4 * y + inside)).toEqual(new Array(3).fill(checks[28 * y + x]))
  })

  it('puts a picture that is not square on neutral grey and takes large ones down', async () => {
    const wide: Picture = { width: 400, height: 200, channels: 3, data: new Uint8Array(400 * 200 * 3).fill(9) }
    const image = await pixels(await renderContactSheet(sheet([{ ...row(-1, 9), seen: wide, tiles: [] }])))
    const { left, top, right, bottom } = image.find([9, 9, 9])
    expect([right - left + 1, bottom - top + 1]).toEqual([128, 64])
    expect(image.at(left + 64, top - 10)).toEqual([0xe9, 0xe9, 0xe9])
  })

  it('sets its type without the fonts of the system', async () => {
    const image = await pixels(await renderContactSheet(sheet([row(0, 1)])))
    // The run's name stands at the top left: letters, not an empty line and not a row of boxes.
    let dark = 0
    for (let y = 56; y < 96; y++) for (let x = 56; x < 56 + 2 * 60; x++) if (image.at(x, y)[0] < 90) dark++
    expect(dark / (40 * 120)).toBeGreaterThan(0.08)
    expect(dark / (40 * 120)).toBeLessThan(0.35)
  })

  it('shows at most 24 of many trials, in two columns', async () => {
    const few = await pixels(await renderContactSheet(sheet(Array.from({ length: 24 }, () => row(0, 1)))))
    const many = await pixels(await renderContactSheet(sheet(Array.from({ length: 100 }, () => row(0, 1)))))
    expect([many.width, many.height]).toEqual([few.width, few.height])
    expect(many.find([10, 20, 30]).count).toBe(24 * 128 * 128)
  })

  it('states a density at which it is 180 mm wide', async () => {
    const { density, width } = await sharp(await renderContactSheet(sheet([row(0, 1)]))).metadata()
    expect((width / density!) * 25.4).toBeCloseTo(180, 0)
  })
})
