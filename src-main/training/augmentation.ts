import * as tf from '@tensorflow/tfjs-core'
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
} from '../nn/image/colour.ts'
import type { Box } from '../nn/image/resize.ts'
import {
  centerCrop,
  cropAndResize,
  flipHorizontally,
  gaussianBlur,
  resize,
  resizeShorterSide,
} from '../nn/image/resize.ts'
import type { Random } from '../nn/random.ts'

/*
 * How MindEye changes images before they become training targets (Train_MindEye.py and train_autoencoder.py, with the
 * distributions of kornia 0.6.12). What is random is drawn first, as plain numbers from a stream, and then applied, so that a
 * resumed step sees the same images. Images are (B, H, W, 3) in [0, 1]; factors have one value per *chosen* image.
 */

const adjustments = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
}
type Adjustment = keyof typeof adjustments
const ADJUSTMENTS = Object.keys(adjustments) as Adjustment[]

/** Largest changes: factors are 1 ± this, hue is ± this share of the colour circle. */
const JITTER: Record<Adjustment, number> = { brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1 }
const RATIO = { min: 3 / 4, max: 4 / 3 }
const BLUR_LENGTH = 7

export interface JitterDraws {
  /** Which images change. */
  chosen: number[]
  /** One order for the whole batch. */
  order: Adjustment[]
  factors: Record<Adjustment, number[]>
}

/** Draws of the images that the prior's and the contrastive targets come from. */
export interface HighLevelDraws {
  /** One box per image, or none: cropping is decided for the whole batch. */
  crops?: Box[]
  /** Which images are flipped. */
  flips: number[]
  jitter: JitterDraws
  /** Which images turn grey. */
  greys: number[]
}

/** Draws of the second view that the low-level contrastive loss compares with. */
export interface ContrastDraws {
  jitter: JitterDraws
  greys: number[]
  solarize: { chosen: number[]; thresholds: number[]; additions: number[] }
  blur: { chosen: number[]; sigmas: number[] }
  /** One box per image. */
  crops: Box[]
}

/** Batch, height and width of the images that will be augmented. */
export type ImageShape = readonly [batch: number, height: number, width: number]

const within = (random: Random, low: number, high: number): number => low + (high - low) * random.uniform()

const choose = (random: Random, batch: number, probability: number): number[] =>
  Array.from({ length: batch }, (_, i) => i).filter(() => random.uniform() < probability)

function drawJitter(random: Random, batch: number, probability: number): JitterDraws {
  const chosen = choose(random, batch, probability)
  const draw = (name: Adjustment) =>
    chosen.map(() => (name === 'hue' ? 0 : 1) + within(random, -JITTER[name], JITTER[name]))
  const factors = {
    brightness: draw('brightness'),
    contrast: draw('contrast'),
    saturation: draw('saturation'),
    hue: draw('hue'),
  }
  return { chosen, order: Array.from(random.permutation(4), (i) => ADJUSTMENTS[i]), factors }
}

/** Height and width of a random crop: the first of ten tries that is smaller than the image on both sides. */
function drawCropSize(random: Random, height: number, width: number, smallest: number): [number, number] {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = within(random, smallest, 1) * height * width
    const aspect = Math.exp(within(random, Math.log(RATIO.min), Math.log(RATIO.max)))
    const [h, w] = [Math.round(Math.sqrt(area * aspect)), Math.round(Math.sqrt(area / aspect))]
    if (h > 0 && h < height && w > 0 && w < width) return [h, w]
  }
  return height / width < RATIO.min ? [height, Math.round(height / RATIO.min)] : [Math.round(width * RATIO.min), width]
}

/** A box per image that covers `smallest` to 1 of its area, at ratios 3:4 to 4:3 (even in the logarithm). */
function drawCrops(random: Random, [batch, height, width]: ImageShape, smallest: number): Box[] {
  return Array.from({ length: batch }, () => {
    const [h, w] = drawCropSize(random, height, width, smallest)
    return { top: random.int(height - h + 1), left: random.int(width - w + 1), height: h, width: w }
  })
}

function applyJitter(images: tf.Tensor4D, { chosen, order, factors }: JitterDraws): tf.Tensor4D {
  return changeSome(images, chosen, (some) =>
    order.reduce((changed, name) => adjustments[name](changed, factors[name]), some),
  )
}

export function drawHighLevelAugmentation(random: Random, shape: ImageShape): HighLevelDraws {
  const [batch] = shape
  return {
    crops: random.uniform() < 0.3 ? drawCrops(random, shape, 0.6) : undefined,
    flips: choose(random, batch, 0.5),
    jitter: drawJitter(random, batch, 0.3),
    greys: choose(random, batch, 0.3),
  }
}

/** Images (B, H, W, 3) → (B, size, size, 3): crop, resize, flip, colour jitter, grey. */
export function augmentHighLevel(images: tf.Tensor4D, draws: HighLevelDraws, size = 224): tf.Tensor4D {
  return tf.tidy(() => {
    const sized = draws.crops
      ? cropAndResize(images, draws.crops, [size, size])
      : resize(images, [size, size], { mode: 'bilinear', alignCorners: true })
    const jittered = applyJitter(changeSome(sized, draws.flips, flipHorizontally), draws.jitter)
    return changeSome(jittered, draws.greys, grayscale)
  })
}

export function drawContrastView(random: Random, shape: ImageShape): ContrastDraws {
  const [batch] = shape
  const jitter = drawJitter(random, batch, 0.8)
  const greys = choose(random, batch, 0.2)
  const solarized = choose(random, batch, 0.2)
  const thresholds = solarized.map(() => within(random, 0.4, 0.6))
  const additions = solarized.map(() => within(random, -0.1, 0.1))
  const blurred = choose(random, batch, 0.1)
  return {
    jitter,
    greys,
    solarize: { chosen: solarized, thresholds, additions },
    blur: { chosen: blurred, sigmas: blurred.map(() => within(random, 0.1, 2)) },
    crops: drawCrops(random, shape, 0.5),
  }
}

/** Images (B, H, W, 3) → the same shape: colour jitter, grey, solarize, blur, crop. */
export function augmentContrastView(images: tf.Tensor4D, draws: ContrastDraws): tf.Tensor4D {
  return tf.tidy(() => {
    const [, height, width] = images.shape
    const { chosen, thresholds, additions } = draws.solarize
    const grey = changeSome(applyJitter(images, draws.jitter), draws.greys, grayscale)
    const inverted = changeSome(grey, chosen, (some) => solarize(some, thresholds, additions))
    const blurred = changeSome(inverted, draws.blur.chosen, (some) =>
      gaussianBlur(some, BLUR_LENGTH, draws.blur.sigmas),
    )
    return cropAndResize(blurred, draws.crops, [height, width])
  })
}

/**
 * What the CLIP image tower gets: shorter side `size` (bicubic, neither antialiased nor clamped), the middle square,
 * normalised. (B, H, W, 3) → (B, size, size, 3).
 */
export function clipPixels(images: tf.Tensor4D, size = 224): tf.Tensor4D {
  return tf.tidy(() =>
    normalize(centerCrop(resizeShorterSide(images, size, { mode: 'bicubic' }), size), CLIP_NORMALIZATION),
  )
}

/** Images in the size that low-level training encodes: antialiased bilinear. (B, H, W, 3) → (B, size, size, 3). */
export const lowLevelPixels = (images: tf.Tensor4D, size = 512): tf.Tensor4D =>
  resize(images, [size, size], { mode: 'bilinear', antialias: true })
