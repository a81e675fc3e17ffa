import { readFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { MindEyeError } from '../base/errors.ts'
import { elementCount } from '../formats/array.ts'
import { LowLevelNetwork } from '../models/lowLevelNetwork.ts'
import { Parameters } from '../nn/parameters.ts'
import type { ImageShape } from '../subjects/pictures.ts'
import type { TrainingConfig } from './fields.ts'
import { decodesPictures } from './fields.ts'
import { createHighLevel, createPixelNetwork } from './highLevel.ts'
import { lowLevelSizes } from './lowLevelConfig.ts'
import { partShape } from './pictureParts.ts'
import { RIDGE_EXAMPLES } from './ridge.ts'

/** What a training holds at its peak, in bytes by what it is for. Fitted to measured peaks; see docs/memory.md. */
export interface TrainingMemory {
  /** The process with TensorFlow loaded, its code and the garbage that V8 and the allocator have not given back. */
  engine: number
  /** Values and both moments of Adam. */
  parameters: number
  /** The one gradient that exists at a time, and a copy on its way to or from a file. */
  gradient: number
  /** What the forward pass of a batch keeps for the backward pass, and what that needs on its way. */
  activations: number
  /** Voxels and targets of all examples. */
  data: number
  /** The pretrained network that makes the targets. */
  encoder: number
}

const [NUMBER, MB] = [4, 2 ** 20]
const ENGINE_BYTES = 480 * MB

/** Of the memory of parameters, what lies unused between them. */
const FRAGMENTATION = 1.12

/**
 * CLIP's image tower by the width of its embedding: ViT-L/14, 768 wide, has 304 million numbers, and the activations of the pictures
 * that go through it at once take a third more; other towers grow and shrink with the square of the width.
 */
const clipBytes = (width: number): number => 1.33 * NUMBER * 304e6 * (width / 768) ** 2

/** Numbers of a picture that a run decodes by itself, 0 where it decodes none; without its images' shape, of grey ones of the largest size. */
function pictureNumbers(config: TrainingConfig, image?: ImageShape): number {
  if (!decodesPictures(config)) return 0
  const { side, channels } = partShape(config, image ?? { height: Infinity, width: Infinity, channels: 1 })
  return side * side * channels
}

/** The parameters of a fold's networks: they take no memory until they get values. */
function declare(config: TrainingConfig, voxels: number, image?: ImageShape): Parameters {
  const parameters = new Parameters()
  if (config.method === 'low-level') new LowLevelNetwork(parameters, lowLevelSizes(config, voxels))
  else createHighLevel(parameters, config, voxels)
  const pixels = pictureNumbers(config, image)
  if (pixels) createPixelNetwork(parameters, config, voxels, pixels)
  return parameters
}

/**
 * Numbers of one fold's decoder: of its networks, as PyTorch counts them without the tables of the prior's schedule, or a weight per
 * voxel and target with intercepts. `image` is the shape of the study's images, which matters where pictures are decoded.
 */
export function decoderParameters(config: TrainingConfig, voxels: number, image?: ImageShape): number {
  if (config.method === 'ridge') return (voxels + 1) * (config.tokens * config.width + pictureNumbers(config, image))
  const counted = [...declare(config, voxels, image)].filter(({ name }) => !name.startsWith('noise_scheduler.'))
  return counted.reduce((sum, { size }) => sum + size, 0)
}

/**
 * Arrays of a batch that exist at the peak, counted on the layers: rows of tokens of voxel2clip's projector (9 of its hidden width, 10
 * of the embedding's), rows of its body, and of the prior all of a layer's arrays with the feed-forward block's 8 times as wide ones.
 */
function activationNumbers(config: TrainingConfig, pixels: number): number {
  if (config.method === 'low-level') return lowLevelNumbers(config)
  const { hidden, blocks, tokens, width, projectorHidden, batchSize, prior, priorDepth } = config
  const projector = batchSize * tokens * (9 * projectorHidden + 10 * width)
  const body = batchSize * 12 * hidden * (blocks + 1) * (pixels ? 2 : 1)
  const sequence = batchSize * (2 * tokens + 1) * width // brain tokens, time and image tokens
  return projector + body + batchSize * 8 * pixels + (prior ? sequence * (50 + 18 * priorDepth) : 0)
}

/**
 * The low-level network's: 26 maps of the finest resolution per picture, and with the contrast 28 arrays of similarities between all
 * places of a batch; fitted to measured peaks.
 */
function lowLevelNumbers({ batchSize, mapSide, upsamplerWidth, contrast }: TrainingConfig): number {
  const maps = 26 * batchSize * (4 * mapSide) ** 2 * upsamplerWidth
  return maps + (contrast ? 28 * (batchSize * mapSide ** 2) ** 2 : 0)
}

/** The networks that make the targets. */
function encoderBytes({ method, targets, width, mapSide, contrast, batchSize }: TrainingConfig): number {
  if (method !== 'low-level') return targets === 'clip' ? clipBytes(width) : 0
  // Stable Diffusion's autoencoder, one picture at a time; ConvNeXt-XL, a batch at a time.
  const pixels = (32 * mapSide) ** 2
  const autoencoder = NUMBER * (84e6 + 8 * pixels * 128)
  return autoencoder + (contrast ? NUMBER * (350e6 + (batchSize * 12 * pixels * 256) / 16) : 0)
}

/** Inputs in float64, once per group of the cross-validation; the matrix of trials with trials, its eigenvectors and copies. */
const ridgeBytes = (trials: number, voxels: number, targets: number): number =>
  8 * (6 * trials * voxels + voxels * targets + 4 * trials ** 2)

/** What a training takes at its peak on the given data; within 15 % of what is measured on Linux without a graphics card. */
export function trainingMemory(
  config: TrainingConfig,
  voxels: number,
  trials: number,
  image?: ImageShape,
): TrainingMemory {
  const numbers = config.tokens * config.width
  const encoder = encoderBytes(config)
  const data = NUMBER * trials * voxels
  if (config.method === 'ridge') {
    const solving = ridgeBytes(trials, voxels, Math.max(numbers, pictureNumbers(config, image)))
    return { engine: ENGINE_BYTES, parameters: 0, gradient: 0, activations: 0, data: 2 * data + solving, encoder }
  }
  const all = [...declare(config, voxels, image)]
  const pixels = pictureNumbers(config, image)
  const blending = pixels && trials <= RIDGE_EXAMPLES ? ridgeBytes(trials, voxels, pixels) : 0
  const kept = all.reduce((sum, { size, trained }) => sum + size * (trained ? 3 : 1), 0)
  const pieces = all.flatMap(({ shape, rows }) =>
    rows.map(({ start, stop }) => (stop - start) * elementCount(shape.slice(1))),
  )
  return {
    engine: ENGINE_BYTES,
    parameters: NUMBER * kept * FRAGMENTATION,
    gradient: NUMBER * 2 * pieces.reduce((most, piece) => Math.max(most, piece), 0),
    activations: NUMBER * activationNumbers(config, pixels),
    data: data + (encoder ? 0 : NUMBER * trials * (numbers + pixels)) + blending,
    encoder,
  }
}

/** Bytes that a training takes at its peak. */
export const trainingBytes = (config: TrainingConfig, voxels: number, trials: number, image?: ImageShape): number =>
  Object.values<number>({ ...trainingMemory(config, voxels, trials, image) }).reduce((sum, bytes) => sum + bytes, 0)

/** Bytes that could be had now without swapping. */
export function availableBytes(): number {
  try {
    const match = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
    if (match) return Number(match[1]) * 1024
  } catch {
    // No /proc: not Linux.
  }
  return freemem()
}

/** Throws when a training needs more memory than there is, with both figures. */
export function checkMemory(needed: number, available = availableBytes()): void {
  if (needed <= available) return
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  throw new MindEyeError({
    kind: 'state',
    where: 'memory',
    expected: `${gigabytes(needed)} for this training`,
    found: `${gigabytes(available)} available`,
    fix: 'Close other programs, or choose a smaller model with --set hidden=… or --set tokens=….',
  })
}
