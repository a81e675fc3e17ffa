import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  changeSome,
  grayscale,
  solarize,
} from '../../src-main/nn/image/colour.ts'
import {
  centerCrop,
  cropAndResize,
  flipHorizontally,
  gaussianBlur,
  resize,
  resizeShorterSide,
  type ResizeOptions,
} from '../../src-main/nn/image/resize.ts'
import { numbersOf } from '../../src-main/nn/numbers.ts'
import { expectClose, fixtureCases, type FixtureCase } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const imageOf = ({ tensors }: FixtureCase): tf.Tensor4D => {
  const { data, shape } = tensors.get('image')!
  return tf.tidy(() => tf.transpose(tf.tensor4d(data, shape as [number, number, number, number]), [0, 2, 3, 1]))
}

/** Compares with a recorded (B, C, H, W) tensor. */
function expectImage(compute: () => tf.Tensor4D, { tensors, tolerances }: FixtureCase, name: string): void {
  const { data, shape } = tensors.get(name)!
  let found: number[] = []
  const actual = numbersOf(() => {
    const published = tf.transpose(compute(), [0, 3, 1, 2])
    found = published.shape
    return published
  })
  expect(found, `shape of ${name}`).toEqual(shape)
  expectClose(actual, data, tolerances, name)
}

describe('torch and torchvision', () => {
  interface Output extends ResizeOptions {
    output: string
    align_corners?: boolean
    size?: [number, number]
    scale_factor?: number
  }

  it.each(fixtureCases('image_ops', (name) => name.startsWith('interpolate')))('$name', (fixture) => {
    const image = imageOf(fixture)
    const [, height, width] = image.shape
    const { outputs } = fixture.config as unknown as { outputs: Output[] }
    expect(outputs.length).toBeGreaterThan(0)
    for (const { output, mode, align_corners, antialias, size, scale_factor = 1 } of outputs)
      expectImage(
        () =>
          resize(image, size ?? [height * scale_factor, width * scale_factor], {
            mode,
            alignCorners: align_corners,
            antialias,
          }),
        fixture,
        output,
      )
  })

  it.each(fixtureCases('image_ops', (name) => name.startsWith('center_crop')))('$name', (fixture) => {
    const image = imageOf(fixture)
    const { sizes, resize_short } = fixture.config as unknown as { sizes: number[]; resize_short: number }
    for (const size of sizes) expectImage(() => centerCrop(image, size), fixture, `crop${size}`)
    // MindEye's CLIP preprocessing
    expectImage(() => resizeShorterSide(image, resize_short, { mode: 'bicubic' }), fixture, 'resize_short')
  })
})

describe('kornia', () => {
  /** One recorded transform: its parameters are the tensors that start with `prefix`. */
  function transform(images: tf.Tensor4D, name: string, prefix: string, fixture: FixtureCase): tf.Tensor4D {
    const parameter = (key: string) => fixture.tensors.get(`${prefix}${key}`)!.data
    const chosen = [...parameter('batch_prob')].flatMap((share, i) => (share > 0.5 ? [i] : []))
    const flags = (fixture.config.flags ?? {}) as Record<string, string | undefined>
    const outputSize = () => Array.from(parameter('output_size').subarray(0, 2)) as [number, number]
    switch (name) {
      case 'RandomResizedCrop': {
        expect([flags.align_corners ?? 'True', flags.cropping_mode ?? 'slice']).toEqual(['True', 'slice'])
        if (chosen.length === 0) return images // decided for the whole batch
        expect(chosen.length).toBe(images.shape[0])
        const corners = parameter('src') // (B, 4, 2): x, y, clockwise from top left, both ends inside
        const boxes = chosen.map((i) => {
          const [left, top, , , right, bottom] = corners.subarray(8 * i, 8 * i + 6)
          return { left, top, width: right - left + 1, height: bottom - top + 1 }
        })
        return cropAndResize(images, boxes, outputSize())
      }
      case 'Resize':
        expect([flags.align_corners ?? 'True', flags.antialias ?? 'False']).toEqual(['True', 'False'])
        return resize(images, outputSize(), { mode: 'bilinear', alignCorners: true })
      case 'RandomHorizontalFlip':
        return changeSome(images, chosen, flipHorizontally)
      case 'RandomGrayscale':
        return changeSome(images, chosen, grayscale)
      case 'RandomSolarize':
        return changeSome(images, chosen, (some) => solarize(some, parameter('thresholds'), parameter('additions')))
      case 'RandomGaussianBlur': {
        const [, length] = /^\((\d+), \1\)$/.exec(flags.kernel_size!)!
        return changeSome(images, chosen, (some) => gaussianBlur(some, Number(length), parameter('sigma')))
      }
      case 'ColorJitter': {
        const operations: [typeof adjustHue, string][] = [
          [adjustBrightness, 'brightness_factor'],
          [adjustContrast, 'contrast_factor'],
          [adjustSaturation, 'saturation_factor'],
          [adjustHue, 'hue_factor'],
        ]
        return changeSome(images, chosen, (some) => {
          for (const which of parameter('order')) {
            const [operation, factor] = operations[which]
            some = operation(some, parameter(factor))
          }
          return some
        })
      }
      default:
        throw new Error(`unknown transform ${name}`)
    }
  }

  it.each(fixtureCases('image_ops', (name) => name.startsWith('kornia')))('$name', (fixture) => {
    const config = fixture.config as unknown as { op: string; transform: string; order: string[] }
    expectImage(
      () => {
        let images = imageOf(fixture)
        if (config.op === 'kornia') return transform(images, config.transform, 'params.', fixture)
        expect(config.op).toBe('kornia_chain')
        for (const name of config.order)
          images = transform(images, name.replace(/_\d+$/, ''), `params.${name}.`, fixture)
        return images
      },
      fixture,
      'out',
    )
  })
})
