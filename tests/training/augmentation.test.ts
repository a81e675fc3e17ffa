import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { cropAndResize, resize } from '../../src-main/nn/image/resize.ts'
import { Random } from '../../src-main/nn/random.ts'
import {
  augmentContrastView,
  augmentHighLevel,
  clipPixels,
  drawContrastView,
  drawHighLevelAugmentation,
  lowLevelPixels,
  type JitterDraws,
} from '../../src-main/training/augmentation.ts'

beforeAll(() => loadBackend())

const images = (batch: number, height: number, width = height) =>
  tf.randomUniform<tf.Rank.R4>([batch, height, width, 3], 0, 1, 'float32', 1)
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const variance = (values: readonly number[], centre = mean(values)) =>
  mean(values.map((value) => (value - centre) ** 2))
const many = <T>(count: number, draw: () => T) => Array.from({ length: count }, draw)

/** Values fill [low, high] evenly: within it, with its mean and spread, and reaching both ends. */
function expectUniform(values: readonly number[], low: number, high: number): void {
  const width = high - low
  const error = (4 * width) / Math.sqrt(12 * values.length) // 4 standard errors
  expect(Math.min(...values)).toBeGreaterThanOrEqual(low)
  expect(Math.max(...values)).toBeLessThanOrEqual(high)
  expect(Math.abs(mean(values) - (low + high) / 2)).toBeLessThan(error)
  expect(Math.abs(Math.sqrt(variance(values)) - width / Math.sqrt(12))).toBeLessThan(error)
}

function expectRate(count: number, of: number, rate: number): void {
  expect(Math.abs(count / of - rate)).toBeLessThan(4 * Math.sqrt((rate * (1 - rate)) / of))
}

function expectJitter(draws: readonly JitterDraws[], batch: number, rate: number): void {
  expectRate(
    draws.reduce((sum, { chosen }) => sum + chosen.length, 0),
    draws.length * batch,
    rate,
  )
  for (const { chosen, factors } of draws)
    for (const values of Object.values(factors)) expect(values.length).toBe(chosen.length)
  const all = (name: keyof JitterDraws['factors']) => draws.flatMap(({ factors }) => factors[name])
  expectUniform(all('brightness'), 0.6, 1.4)
  expectUniform(all('contrast'), 0.6, 1.4)
  expectUniform(all('saturation'), 0.8, 1.2)
  expectUniform(all('hue'), -0.1, 0.1)
  const orders = new Map<string, number>()
  for (const { order } of draws) orders.set(order.join(), (orders.get(order.join()) ?? 0) + 1)
  expect(orders.size).toBe(24)
  for (const count of orders.values()) expectRate(count, draws.length, 1 / 24)
}

describe('drawHighLevelAugmentation', () => {
  const [batch, side] = [32, 256]
  const draws = (() => {
    const random = new Random(5)
    return many(2000, () => drawHighLevelAugmentation(random, [batch, side, side]))
  })()

  it('crops whole batches in 3 of 10, flips, jitters and greys single images', () => {
    expectRate(draws.filter(({ crops }) => crops).length, draws.length, 0.3)
    expectRate(
      draws.reduce((sum, { flips }) => sum + flips.length, 0),
      draws.length * batch,
      0.5,
    )
    expectRate(
      draws.reduce((sum, { greys }) => sum + greys.length, 0),
      draws.length * batch,
      0.3,
    )
    expectJitter(
      draws.map(({ jitter }) => jitter),
      batch,
      0.3,
    )
  })

  it('crops boxes inside the image with the areas and ratios asked for, anywhere', () => {
    const boxes = draws.flatMap(({ crops }) => crops ?? [])
    expect(boxes.length).toBe(draws.filter(({ crops }) => crops).length * batch)
    for (const { top, left, height, width } of boxes) {
      expect(top >= 0 && left >= 0 && top + height <= side && left + width <= side).toBe(true)
      // Rounded to whole pixels, half a pixel on each side.
      expect(height * width).toBeGreaterThan(0.6 * side * side - side)
      expect(height / width).toBeGreaterThan(0.74)
      expect(height / width).toBeLessThan(1.36)
    }
    const ratios = boxes.map(({ height, width }) => Math.log(height / width))
    expect(Math.abs(mean(ratios))).toBeLessThan(0.01)
    for (const at of [
      boxes.map(({ top, height }) => top / (side - height)),
      boxes.map(({ left, width }) => left / (side - width)),
    ]) {
      expect(mean(at)).toBeCloseTo(0.5, 1)
      expect([Math.min(...at), Math.max(...at)]).toEqual([0, 1])
    }
  })

  it('prefers what fits: tall and wide boxes must be smaller', () => {
    const areas = draws.flatMap(({ crops }) => (crops ?? []).map(({ height, width }) => (height * width) / side ** 2))
    // U(0.6, 1) would have mean 0.8; boxes as large as the image on a side are drawn again.
    expect(mean(areas)).toBeGreaterThan(0.7)
    expect(mean(areas)).toBeLessThan(0.79)
  })

  it('draws the same from the same place of a stream', () => {
    const random = new Random(9)
    drawHighLevelAugmentation(random, [4, 64, 64])
    const again = Random.fromState(random.state)
    expect(drawHighLevelAugmentation(again, [4, 64, 64])).toEqual(drawHighLevelAugmentation(random, [4, 64, 64]))
    expect(again.state).toEqual(random.state)
  })

  it('crops the largest 3:4 box where nothing fits', () => {
    const random = new Random(1)
    const crops = (height: number, width: number) =>
      many(60, () => drawHighLevelAugmentation(random, [1, height, width]).crops).flatMap((boxes) => boxes ?? [])
    for (const { height, width } of crops(100, 30)) expect([height, width]).toEqual([23, 30])
    for (const { height, width } of crops(30, 100)) expect([height, width]).toEqual([30, 40])
  })
})

describe('augmentHighLevel', () => {
  const none = { flips: [], jitter: { chosen: [], order: [], factors: { brightness: [], contrast: [], saturation: [], hue: [] } }, greys: [] } // prettier-ignore

  it('without draws only resizes', () => {
    const x = images(2, 40)
    const plain = resize(x, [24, 24], { mode: 'bilinear', alignCorners: true })
    expect(augmentHighLevel(x, none, 24).dataSync()).toEqual(plain.dataSync())
    expect(augmentHighLevel(x, none).shape).toEqual([2, 224, 224, 3])
  })

  it('applies crop, flip, jitter and grey to the images drawn', () => {
    const x = images(3, 40)
    const box = { top: 3, left: 5, height: 30, width: 31 }
    const jitter = {
      chosen: [1],
      order: ['hue', 'brightness'] as const,
      factors: { brightness: [0.5], contrast: [], saturation: [], hue: [1 / 3] },
    }
    const draws = { crops: [box, box, box], flips: [0], jitter: { ...jitter, order: [...jitter.order] }, greys: [2] }
    const out = augmentHighLevel(x, draws, 20).arraySync()
    const cropped = cropAndResize(x, [box, box, box], [20, 20]).arraySync()
    for (const [row, column] of [
      [0, 0],
      [7, 12],
    ]) {
      out[0][row][column].forEach((value, c) => expect(value).toBe(cropped[0][row][19 - column][c]))
      const [r, g, b] = cropped[1][row][column]
      out[1][row][column].forEach((value, c) => expect(value).toBeCloseTo([b, r, g][c] / 2, 5))
      const [red, green, blue] = cropped[2][row][column]
      const grey = 0.299 * red + 0.587 * green + 0.114 * blue
      for (const value of out[2][row][column]) expect(value).toBeCloseTo(grey, 5)
    }
  })

  it('stays within [0, 1] and keeps no tensors', () => {
    const x = images(6, 48)
    const random = new Random(3)
    const before = tf.memory().numTensors
    for (let step = 0; step < 10; step++) {
      const out = augmentHighLevel(x, drawHighLevelAugmentation(random, [6, 48, 48]), 32)
      const values = out.dataSync()
      expect(values.every((value) => value >= 0 && value <= 1.00001)).toBe(true)
      out.dispose()
    }
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('the contrast view', () => {
  const [batch, side] = [8, 512]
  const draws = (() => {
    const random = new Random(6)
    return many(3000, () => drawContrastView(random, [batch, side, side]))
  })()

  it('is drawn with the official rates and ranges', () => {
    const total = draws.length * batch
    expectJitter(
      draws.map(({ jitter }) => jitter),
      batch,
      0.8,
    )
    expectRate(
      draws.reduce((sum, { greys }) => sum + greys.length, 0),
      total,
      0.2,
    )
    expectRate(
      draws.reduce((sum, { solarize }) => sum + solarize.chosen.length, 0),
      total,
      0.2,
    )
    expectRate(
      draws.reduce((sum, { blur }) => sum + blur.chosen.length, 0),
      total,
      0.1,
    )
    expectUniform(
      draws.flatMap(({ solarize }) => solarize.thresholds),
      0.4,
      0.6,
    )
    expectUniform(
      draws.flatMap(({ solarize }) => solarize.additions),
      -0.1,
      0.1,
    )
    expectUniform(
      draws.flatMap(({ blur }) => blur.sigmas),
      0.1,
      2,
    )
    for (const { crops } of draws) expect(crops.length).toBe(batch)
    const smallest = Math.min(...draws.flatMap(({ crops }) => crops.map(({ height, width }) => height * width)))
    expect(smallest / side ** 2).toBeCloseTo(0.5, 2)
  })

  it('is the image itself when nothing is drawn and the crop is whole', () => {
    const x = images(2, 24)
    const whole = { top: 0, left: 0, height: 24, width: 24 }
    const identity = {
      jitter: { chosen: [], order: [], factors: { brightness: [], contrast: [], saturation: [], hue: [] } },
      greys: [],
      solarize: { chosen: [], thresholds: [], additions: [] },
      blur: { chosen: [], sigmas: [] },
      crops: [whole, whole],
    }
    expect(augmentContrastView(x, identity).dataSync()).toEqual(x.dataSync())
    const blurred = augmentContrastView(x, { ...identity, blur: { chosen: [1], sigmas: [2] } }).arraySync()
    const spread = (rows: number[][][]) => variance(rows.flat(2))
    const source = x.arraySync()
    expect(blurred[0]).toEqual(source[0])
    expect(spread(blurred[1])).toBeLessThan(0.3 * spread(source[1]))
    const inverted = { chosen: [0], thresholds: [0.5], additions: [0] }
    const solarized = augmentContrastView(x, { ...identity, solarize: inverted }).arraySync()
    expect(Math.max(...solarized[0].flat(2))).toBeLessThanOrEqual(0.5)
    expect(solarized[1]).toEqual(source[1])
  })

  it('keeps shape and no tensors', () => {
    const x = images(4, 30, 36)
    const random = new Random(8)
    const before = tf.memory().numTensors
    for (let step = 0; step < 5; step++) {
      const out = augmentContrastView(x, drawContrastView(random, [4, 30, 36]))
      expect(out.shape).toEqual(x.shape)
      out.dispose()
    }
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('preprocessing', () => {
  it('for CLIP takes the middle square of the resized image, unclamped', () => {
    expect(clipPixels(images(1, 40, 60)).shape).toEqual([1, 224, 224, 3])
    const grey = clipPixels(tf.fill([1, 40, 60, 3], 0.5), 14).arraySync()[0][3][5]
    const expected = [0.48145466, 0.4578275, 0.40821073].map(
      (m, c) => (0.5 - m) / [0.26862954, 0.26130258, 0.27577711][c],
    )
    grey.forEach((value, c) => expect(value).toBeCloseTo(expected[c], 5))
    // A step edge overshoots under cubic convolution; clamped white would be at most (1 − mean) / std.
    const edge = tf.concat([tf.zeros([1, 8, 4, 3]), tf.ones([1, 8, 4, 3])], 2) as tf.Tensor4D
    const [white] = tf.max(clipPixels(edge, 20), [0, 1, 2]).dataSync()
    expect(white).toBeGreaterThan((1 - 0.48145466) / 0.26862954 + 0.01)
  })

  it('for low-level training doubles 256 pixels', () => {
    expect(lowLevelPixels(images(1, 256)).shape).toEqual([1, 512, 512, 3])
    const ramp = tf.tile(tf.reshape(tf.linspace(0, 1, 8), [1, 1, 8, 1]), [1, 8, 1, 3]) as tf.Tensor4D
    const row = lowLevelPixels(ramp, 16)
      .arraySync()[0][5]
      .map(([value]) => value)
    expect(row[0]).toBeCloseTo(0, 6) // edges in place: the first output lies beside the first input's centre
    expect(row[2]).toBeCloseTo(0.75 / 7, 6)
    expect(row[3]).toBeCloseTo(1.25 / 7, 6)
  })
})
