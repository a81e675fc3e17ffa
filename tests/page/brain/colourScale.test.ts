import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { COLOUR_MAPS, colourMap } from '../../../src-renderer/shared/colourMaps/index.ts'
import {
  autoLimits,
  BELOW,
  ColourScale,
  COLOUR_SCALE_GLSL,
  forTexture,
  MISSING,
  MISSING_VALUE,
} from '../../../src-renderer/shared/colourScale.ts'

const fixture = JSON.parse(readFileSync(new URL('./colourMaps.fixture.json', import.meta.url), 'utf8')) as {
  maps: Record<string, [number, number, number, number][]>
}
const scaleOf = (changes: Partial<ConstructorParameters<typeof ColourScale>[0]> = {}) =>
  new ColourScale({ map: 'RdBu_r', limits: [-2, 2], threshold: 0, title: 'Betas', unit: '%', signed: true, ...changes })

describe('colour maps', () => {
  it('are those of matplotlib and of the Scientific colour maps', () => {
    expect(COLOUR_MAPS.map(({ name }) => name).toSorted()).toEqual(Object.keys(fixture.maps).toSorted())
    for (const [name, points] of Object.entries(fixture.maps)) {
      const scale = scaleOf({ map: name, limits: [0, 1], signed: false })
      for (const [value, ...rgb] of points) expect([name, value, ...scale.rgb(value)!]).toEqual([name, value, ...rgb])
    }
  })

  it('have 256 colours, and angles end where they begin', () => {
    for (const { name, kind, table } of COLOUR_MAPS) {
      expect(table.length).toBe(768)
      if (kind !== 'angle') continue
      const gap = [0, 1, 2].map((k) => Math.abs(table[k] - table[765 + k]))
      expect(Math.max(...gap), name).toBeLessThan(8)
    }
    expect(colourMap('jet').name).toBe('inferno')
  })
})

describe('ColourScale', () => {
  it('has equal steps between its limits, and the end colours beyond them', () => {
    const scale = scaleOf({ limits: [-1, 1] })
    expect([-1, -0.5, 0, 0.5, 1].map((v) => scale.index(v))).toEqual([0, 64, 128, 192, 255])
    expect([scale.index(-9), scale.index(9)]).toEqual([0, 255])
    for (let k = 0; k < 256; k++) {
      expect(scale.index(-1 + k / 128)).toBe(k)
      expect(scale.index(-1 + (k + 0.999) / 128)).toBe(k)
    }
  })

  it('is symmetric: opposite values are opposite colours', () => {
    const scale = scaleOf()
    for (const v of [0.003, 0.4, 1.3, 1.99]) expect(scale.index(v) + scale.index(-v)).toBe(255)
  })

  it('has no colour below the threshold, on either side, nor for missing values', () => {
    const scale = scaleOf({ threshold: 0.5 })
    expect([-0.49, 0, 0.49].map((v) => scale.index(v))).toEqual([BELOW, BELOW, BELOW])
    expect([-0.5, 0.5].map((v) => scale.index(v) >= 0)).toEqual([true, true])
    expect([NaN, Infinity, -Infinity, MISSING_VALUE].map((v) => scale.index(v))).toEqual(Array(4).fill(MISSING))
    expect(scale.rgb(NaN)).toBeUndefined()
    expect(scale.rgb(0.1)).toBeUndefined()
  })

  it('computes as the shader does: the same operations in single precision', () => {
    // The shader's own lines, with each operation rounded as the card rounds it.
    const body = COLOUR_SCALE_GLSL.slice(COLOUR_SCALE_GLSL.indexOf('{') + 1, COLOUR_SCALE_GLSL.lastIndexOf('}'))
    const js = body
      .replace('(value - scaleLower) * scalePerUnit', 'f(f(value - scaleLower) * scalePerUnit)')
      .replaceAll('abs(', 'Math.abs(')
      .replaceAll('floor(', 'Math.floor(')
      .replace('int(', '(')
    expect(js).toContain('f(f(value')
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- runs the text that the graphics card is given
    const shader = new Function('f', 'clamp', 'scaleLower', 'scalePerUnit', 'scaleThreshold', 'value', js) as (
      ...args: unknown[]
    ) => number
    const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x))
    for (const scale of [scaleOf({ threshold: 0.3 }), scaleOf({ limits: [0.1, 0.87], signed: false })])
      for (let i = 0; i <= 5000; i++) {
        const value = Math.fround(-3 + (6 * i) / 5000)
        const drawn = shader(Math.fround, clamp, scale.limits[0], scale.perUnit, scale.threshold, value)
        expect(drawn).toBe(scale.index(value))
      }
    expect(shader(Math.fround, clamp, 0, 1, 0, MISSING_VALUE)).toBe(MISSING)
  })

  it('marks its limits, its middle and the threshold on a bar', () => {
    expect(
      scaleOf({ threshold: 0.5 })
        .ticks()
        .map(({ value, kind }) => [value, kind]),
    ).toEqual([
      [-2, 'limit'],
      [-0.5, 'threshold'],
      [0, 'middle'],
      [0.5, 'threshold'],
      [2, 'limit'],
    ])
    expect(
      scaleOf({ limits: [0, 1], signed: false })
        .ticks()
        .map(({ value }) => value),
    ).toEqual([0, 0.5, 1])
  })

  it('refuses limits that are no range', () => {
    expect(() => scaleOf({ limits: [1, 1] })).toThrow(/lower limit below 1/)
  })
})

describe('automatic limits', () => {
  const spread = Float32Array.from({ length: 1000 }, (_, i) => (i - 300) / 100) // -3 to 6.99

  it('are symmetric for signed maps, whatever the missing values', () => {
    expect(autoLimits(spread, true)).toEqual([-6.9, 6.9])
    expect(autoLimits(Float32Array.of(NaN, 0.5, -0.2, Infinity), true)).toEqual([-0.5, 0.5])
  })

  it('start at zero where nothing is negative', () => {
    expect(autoLimits(Float32Array.of(0.2, 0.31, NaN), false)).toEqual([0, 0.31])
    expect(autoLimits(spread, false)).toEqual([-2.9, 6.9])
  })

  it('are a range for constant, empty and missing maps', () => {
    for (const values of [Float32Array.of(), Float32Array.of(NaN), Float32Array.of(0, 0)])
      for (const signed of [true, false]) {
        const [lower, upper] = autoLimits(values, signed)
        expect(upper).toBeGreaterThan(lower)
      }
  })
})

it('textures hold what is missing as one number', () => {
  expect([...forTexture(Float32Array.of(1, NaN, -Infinity))]).toEqual([1, MISSING_VALUE, MISSING_VALUE])
})
