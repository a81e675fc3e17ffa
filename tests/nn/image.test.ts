import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  changeSome,
  CLIP_NORMALIZATION,
  grayscale,
  normalize,
  solarize,
} from '../../src-main/nn/image/colour.ts'
import {
  centerCrop,
  cropAndResize,
  flipHorizontally,
  gaussianBlur,
  resize,
  resizeShorterSide,
} from '../../src-main/nn/image/resize.ts'
import { numbersOf } from '../../src-main/nn/numbers.ts'

beforeAll(() => loadBackend())

const images = (batch: number, height: number, width: number, seed = 1) =>
  tf.randomUniform<tf.Rank.R4>([batch, height, width, 3], 0, 1, 'float32', seed)
const pixels = (...rgb: number[]) => tf.tensor4d(rgb, [1, 1, rgb.length / 3, 3])
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0)
}
const expectNear = (compute: () => tf.Tensor, expected: ArrayLike<number>, tolerance = 1e-6) =>
  expect(largestDifference(numbersOf(compute), expected)).toBeLessThanOrEqual(tolerance)

describe('resizing', () => {
  it('to the same size changes nothing', () => {
    const x = images(2, 5, 7)
    for (const mode of ['bilinear', 'bicubic', 'nearest'] as const)
      expectNear(() => resize(x, [5, 7], { mode }), x.dataSync(), 0)
    expectNear(
      () =>
        cropAndResize(
          x,
          [0, 1].map(() => ({ top: 0, left: 0, height: 5, width: 7 })),
          [5, 7],
        ),
      x.dataSync(),
    )
  })

  it('keeps a constant image and its brightness', () => {
    for (const mode of ['bilinear', 'bicubic'] as const)
      for (const antialias of [false, true])
        for (const size of [
          [3, 5],
          [31, 17],
        ] as const)
          expectNear(
            () => resize(tf.fill([1, 11, 13, 3], 0.7), size, { mode, antialias }),
            new Float32Array(size[0] * size[1] * 3).fill(0.7),
          )
  })

  it('antialiased sees every pixel, otherwise most are skipped', () => {
    const spot = tf.tensor4d(new Float32Array(64).fill(1, 18, 19), [1, 1, 64, 1])
    const seen = (antialias: boolean) =>
      numbersOf(() => tf.sum(resize(spot, [1, 8], { mode: 'bilinear', antialias })))[0]
    expect(seen(false)).toBe(0)
    expect(seen(true)).toBeCloseTo(1 / 8, 5)
  })

  it('refuses antialiasing where torch does', () => {
    const x = images(1, 4, 4)
    expect(() => resize(x, [2, 2], { mode: 'nearest', antialias: true })).toThrow(/antialiasing/)
    expect(() => resize(x, [2, 2], { mode: 'bilinear', antialias: true, alignCorners: true })).toThrow(/antialiasing/)
  })

  it('by the shorter side rounds the longer one down', () => {
    const shape = (height: number, width: number) =>
      resizeShorterSide(images(1, height, width), 15, { mode: 'bilinear' }).shape.slice(1, 3)
    expect(shape(19, 23)).toEqual([15, 18])
    expect(shape(23, 19)).toEqual([18, 15])
    expect(shape(20, 20)).toEqual([15, 15])
  })
})

describe('cropping', () => {
  it('at the centre rounds halves to even', () => {
    const columns = (width: number, size: number) =>
      numbersOf(() => centerCrop(tf.reshape(tf.range(0, width), [1, 1, width, 1]) as tf.Tensor4D, size))
    // Height 1 is padded to `size`; the row with the image is the one that is not 0 everywhere.
    expect([...columns(8, 5)].filter((value) => value > 0)).toEqual([2, 3, 4, 5, 6])
    expect([...columns(10, 5)].filter((value) => value > 0)).toEqual([2, 3, 4, 5, 6])
  })

  it('takes each image’s own box, its corner pixels in the corners', () => {
    const x = images(2, 6, 8)
    const boxes = [
      { top: 1, left: 2, height: 3, width: 4 },
      { top: 0, left: 3, height: 6, width: 5 },
    ]
    const out = cropAndResize(x, boxes, [9, 9]).arraySync()
    const source = x.arraySync()
    boxes.forEach(({ top, left, height, width }, b) => {
      const [bottom, right] = [top + height - 1, left + width - 1]
      expect(largestDifference(out[b][0][0], source[b][top][left])).toBeLessThan(1e-6)
      expect(largestDifference(out[b][8][8], source[b][bottom][right])).toBeLessThan(1e-6)
      expect(largestDifference(out[b][0][8], source[b][top][right])).toBeLessThan(1e-6)
    })
  })

  it('flips left and right', () => expectNear(() => flipHorizontally(pixels(1, 2, 3, 4, 5, 6)), [4, 5, 6, 1, 2, 3], 0))
})

describe('gaussianBlur', () => {
  it('keeps a constant image, spreads a point by each image’s own σ', () => {
    expectNear(() => gaussianBlur(tf.fill([1, 9, 9, 1], 0.4), 7, [1.3]), new Float32Array(81).fill(0.4))
    const point = tf.pad(tf.ones([2, 1, 1, 1]), [
      [0, 0],
      [4, 4],
      [4, 4],
      [0, 0],
    ]) as tf.Tensor4D
    const blurred = gaussianBlur(point, 7, [0.5, 2]).arraySync()
    const ratio = (b: number) => blurred[b][4][5][0] / blurred[b][4][4][0]
    expect(ratio(0)).toBeCloseTo(Math.exp(-1 / (2 * 0.25)), 5)
    expect(ratio(1)).toBeCloseTo(Math.exp(-1 / (2 * 4)), 5)
  })
})

describe('colours', () => {
  it('stay with neutral factors', () => {
    const x = images(2, 3, 4)
    for (const adjust of [adjustBrightness, adjustContrast, adjustSaturation])
      expectNear(() => adjust(x, [1, 1]), x.dataSync())
    for (const turn of [0, 1, -1]) expectNear(() => adjustHue(x, [turn, turn]), x.dataSync(), 3e-6)
  })

  it('change one factor per image', () => {
    const x = tf.concat([pixels(0.2, 0.4, 0.8), pixels(0.2, 0.4, 0.8)]) as tf.Tensor4D
    const grey = 0.299 * 0.2 + 0.587 * 0.4 + 0.114 * 0.8
    expectNear(() => adjustBrightness(x, [0.5, 2]), [0.1, 0.2, 0.4, 0.4, 0.8, 1])
    expectNear(() => adjustSaturation(x, [0, 1]), [grey, grey, grey, 0.2, 0.4, 0.8])
    expectNear(() => adjustContrast(x, [0, 1]), [grey, grey, grey, 0.2, 0.4, 0.8])
    expectNear(() => adjustHue(x, [1 / 3, -1 / 3]), [0.8, 0.2, 0.4, 0.4, 0.8, 0.2], 3e-6)
    expectNear(() => grayscale(x), new Float32Array(6).fill(grey))
  })

  it('of grey pixels have no hue to turn', () =>
    expectNear(() => adjustHue(pixels(0, 0, 0, 0.3, 0.3, 0.3, 1, 1, 1), [0.2]), [0, 0, 0, 0.3, 0.3, 0.3, 1, 1, 1]))

  it('are inverted from the threshold on, after the addition', () =>
    expectNear(() => solarize(pixels(0.1, 0.5, 0.95), [0.6], [0.1]), [0.2, 0.4, 0]))

  it('are normalised per channel', () => {
    const { mean, std } = CLIP_NORMALIZATION
    expectNear(() => normalize(pixels(...mean), CLIP_NORMALIZATION), [0, 0, 0])
    expectNear(() => normalize(pixels(...mean.map((m, c) => m + 2 * std[c])), CLIP_NORMALIZATION), [2, 2, 2], 3e-6)
  })
})

describe('changeSome', () => {
  it('gives the chosen images, in order, and puts them back', () => {
    const x = images(4, 2, 2)
    const data = x.dataSync()
    const seen: number[][] = []
    const change = (some: tf.Tensor4D) => {
      seen.push([...some.dataSync()])
      return tf.neg(some)
    }
    const row = (b: number, sign = 1) => Array.from(data.subarray(12 * b, 12 * b + 12), (value) => sign * value)
    expectNear(() => changeSome(x, [1, 3], change), [...row(0), ...row(1, -1), ...row(2), ...row(3, -1)], 0)
    expect(seen).toEqual([[...row(1), ...row(3)]])
    expectNear(() => changeSome(x, [], change), data, 0)
    expect(seen.length).toBe(1)
    expectNear(
      () => changeSome(x, [0, 1, 2, 3], change),
      Array.from(data, (value) => -value),
      0,
    )
  })
})

describe('memory', () => {
  it('every operation leaves one tensor, its result', () => {
    const x = images(2, 8, 10)
    const box = { top: 1, left: 1, height: 5, width: 5 }
    const operations: (() => tf.Tensor)[] = [
      () => resize(x, [5, 5], { mode: 'bicubic' }),
      () => resize(x, [5, 5], { mode: 'bilinear', antialias: true }),
      () => resize(x, [8, 10], { mode: 'bilinear' }),
      () => resizeShorterSide(x, 5, { mode: 'nearest' }),
      () => centerCrop(x, 9),
      () => cropAndResize(x, [box, box], [4, 4]),
      () => gaussianBlur(x, 7, [1, 2]),
      () => flipHorizontally(x),
      () => grayscale(x),
      () => adjustBrightness(x, [1, 2]),
      () => adjustContrast(x, [1, 2]),
      () => adjustSaturation(x, [1, 2]),
      () => adjustHue(x, [0.1, 0.2]),
      () => solarize(x, [0.5, 0.5], [0, 0]),
      () => normalize(x, CLIP_NORMALIZATION),
      () => changeSome(x, [1], grayscale),
    ]
    for (const operation of operations) {
      const before = tf.memory().numTensors
      const result = operation()
      expect(tf.memory().numTensors - before, operation.toString()).toBe(1)
      result.dispose()
    }
  })
})
