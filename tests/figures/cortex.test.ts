import { describe, expect, it } from 'vitest'
import { colourOf, limitsFor } from '../../src-main/figures/cortex/colours.ts'
import { frameOf, paintCortex } from '../../src-main/figures/cortex/paint.ts'
import type { Direction } from '../../src-main/figures/cortex/paint.ts'
import { COLOUR_MAPS } from '../../src-renderer/shared/colourMaps/index.ts'
import { ball } from './samples.ts'

const side: Direction = { right: [0, -1, 0], up: [0, 0, 1], towards: [-1, 0, 0] }
const above: Direction = { right: [1, 0, 0], up: [0, 1, 0], towards: [0, 0, 1] }

describe('the painted cortex', () => {
  const mesh = { ...ball(), areas: undefined }
  const frame = frameOf(mesh, side)
  const colour = colourOf('inferno', [0, 1])
  const image = paintCortex(mesh, side, frame, 200, colour)
  const at = (x: number, y: number) => [...image.data.subarray(3 * (y * 200 + x), 3 * (y * 200 + x) + 3)]

  it('fills its frame, on white', () => {
    expect(frame).toEqual({ left: -20, bottom: -20, width: 40, height: 40 })
    expect([image.width, image.height]).toEqual([200, 200])
    expect(at(2, 2)).toEqual([255, 255, 255])
    expect(at(100, 199)).not.toEqual([255, 255, 255])
  })

  it('shows at every point the very colour of its number, and anatomy where there is none', () => {
    const table = COLOUR_MAPS.find(({ name }) => name === 'inferno')!.table
    for (const ring of [4, 6, 8, 10]) {
      const height = Math.cos((Math.PI * ring) / 24)
      const row = Math.floor(height * 256)
      expect(at(100, Math.round(100 - height * 100))).toEqual([...table.subarray(3 * row, 3 * row + 3)])
    }
    expect(at(100, 150)).toEqual([205, 205, 205])
  })

  it('hides what is behind: from above no anatomy, from below nothing else', () => {
    const up = paintCortex(mesh, above, frameOf(mesh, above), 100, colour)
    const down = paintCortex(
      mesh,
      { ...above, right: [-1, 0, 0], towards: [0, 0, -1] },
      frameOf(mesh, above),
      100,
      colour,
    )
    const middle = (data: Uint8Array) => [...data.subarray(3 * (50 * 100 + 50), 3 * (50 * 100 + 50) + 3)]
    expect(middle(up.data)).toEqual([...colour(1)!])
    expect(middle(down.data)).toEqual([205, 205, 205])
  })

  it('is the same picture at every resolution', () => {
    const fine = paintCortex(mesh, side, frame, 400, colour)
    let far = 0
    for (let y = 0; y < 200; y++)
      for (let x = 0; x < 200; x++) {
        const mean =
          [0, 1, 2, 3].reduce((sum, k) => sum + fine.data[3 * ((2 * y + (k >> 1)) * 400 + 2 * x + (k & 1))], 0) / 4
        if (Math.abs(mean - at(x, y)[0]) > 40) far++
      }
    expect(far / 200 ** 2).toBeLessThan(0.01)
  })

  it('draws the borders of areas', () => {
    const bordered = paintCortex(ball(), side, frame, 200, colour)
    const blue = (data: Uint8Array, y: number) => data[3 * (y * 200 + 100) + 2]
    const rows = Array.from({ length: 200 }, (_, y) => y)
    const changed = rows.filter((y) => Math.abs(blue(bordered.data, y) - blue(image.data, y)) > 5)
    expect(changed.length).toBeGreaterThan(0)
    expect(changed.length).toBeLessThan(6)
    for (const y of changed) expect(Math.abs(y - 50)).toBeLessThan(12) // 10 mm above the middle
  })
})

describe('limits', () => {
  it('are two digits above nearly all values, symmetric where zero is the middle', () => {
    const values = Float32Array.from({ length: 1001 }, (_, i) => i / 1000)
    expect(limitsFor(values, false)).toEqual([0, 0.99])
    expect(
      limitsFor(
        values.map((value) => -0.0312 * value),
        true,
      ),
    ).toEqual([-0.031, 0.031])
    expect(limitsFor(Float32Array.of(NaN), false)).toEqual([0, 1])
  })
})
