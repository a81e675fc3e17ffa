import * as tf from '@tensorflow/tfjs-core'
import { setImmediate } from 'node:timers/promises'
import type { RunOptions } from '../base/progress.ts'
import { loadAutoencoderKl } from '../models/pretrained.ts'
import { resize } from '../nn/image/resize.ts'
import { numbersOf } from '../nn/numbers.ts'
import { Random } from '../nn/random.ts'
import { kinds } from '../subjects/simulator/kinds.ts'
import { world } from '../subjects/simulator/constants.ts'
import type { Scene } from '../subjects/simulator/scenes.ts'
import { SceneDrawer, ScenePainter } from '../subjects/simulator/scenes.ts'
import { ClipEncoder } from '../training/clipEncoder.ts'
import { latentTargets } from '../training/lowLevel.ts'
import type { Property, Representation } from './experiments.ts'
import { properties, representations } from './experiments.ts'
import type { Samples } from '../training/ridge.ts'
import { fitRidge, predictRidge } from '../training/ridge.ts'

/*
 * How much of a picture can be read from its embedding by a linear map (MindEye's reason for a separate low-level pipeline): ridge regression
 * from the embedding to properties of scenes of the simulated world, judged on scenes that it has not seen.
 */

export interface ReadOutJob {
  /** Paths of CLIP's image tower and of an autoencoder. */
  clip: string
  autoencoder: string
  /** Of the scenes. */
  seed: number
  /** Scenes to fit on and to judge by. */
  train: number
  test: number
}

/** Share of a property that the embedding tells: of the variance (R²), or for the category of what is above chance; 1 is all of it. */
export type ReadOut = Record<Representation, Record<Property, number>>

/** Scenes that are embedded at a time. */
const BATCH = 50
/** Groups between which ridge chooses its penalties. */
const GROUPS = 5
/** Sides at which the properties are looked at, px of a scene and cells. */
const [PIXEL_SIDE, COLOUR_SIDE, LAYOUT_SIDE] = [16, 2, 8]

/** Reads the properties of drawn scenes from each representation. */
export async function readOut(
  { clip, autoencoder, seed, train, test }: ReadOutJob,
  { signal, progress }: RunOptions,
): Promise<ReadOut> {
  const count = train + test
  const scenes = new SceneDrawer().draw(new Random(seed).split('read-out'), count)
  const pictures = await paint(scenes)
  const [tower, latents] = [new ClipEncoder(clip), loadAutoencoderKl(autoencoder)]
  const latentOf = (images: tf.Tensor4D) =>
    tf.reshape(latentTargets(latents.model, images), [images.shape[0], -1]) as tf.Tensor2D
  const total = representations.length * (count + train * GROUPS)
  let done = 0
  const advance = async (by: number, message: string) => {
    progress({ phase: 'read out', done: (done += by), total, message })
    signal.throwIfAborted()
    await setImmediate()
  }
  try {
    const targets = propertiesOf(scenes, pictures)
    const embed = async (one: (images: tf.Tensor4D) => tf.Tensor2D, name: string): Promise<Samples> => {
      let data = new Float32Array()
      for (let at = 0; at < count; at += BATCH) {
        const size = Math.min(BATCH, count - at)
        const some = numbersOf(() => one(tf.slice(pictures, [at, 0, 0, 0], [size, -1, -1, -1])))
        if (at === 0) data = new Float32Array((some.length / size) * count)
        data.set(some, (some.length / size) * at)
        await advance(size, name)
      }
      return { count, width: data.length / count, data }
    }
    const result = {} as ReadOut
    for (const name of representations) {
      const whole = await embed(name === 'autoencoder latent' ? latentOf : (images) => tower.embed(images), name)
      const embedding = name === 'class token' ? columns(whole, tower.width) : whole
      result[name] = judge(embedding, targets, train)
      await advance(train * GROUPS, name)
    }
    return result
  } finally {
    tf.dispose(pictures)
    tower.dispose()
    latents.parameters.dispose()
  }
}

/** (n, side, side, 3) in [0, 1]. */
async function paint(scenes: readonly Scene[]): Promise<tf.Tensor4D> {
  const { side } = world
  const painter = new ScenePainter()
  const bytes = new Uint8Array(scenes.length * side * side * 3)
  for (const [i, scene] of scenes.entries()) bytes.set((await painter.paint(scene, side)).data, i * side * side * 3)
  return tf.tidy(() => tf.div(tf.tensor4d(bytes, [scenes.length, side, side, 3], 'int32'), 255))
}

function propertiesOf(scenes: readonly Scene[], pictures: tf.Tensor4D): Record<Property, Samples> {
  const count = scenes.length
  const seen = (side: number, grey: boolean): Samples => {
    const data = numbersOf(() => {
      const small = resize(pictures, [side, side], { mode: 'bilinear', antialias: true })
      return grey ? tf.mean(small, 3) : small
    })
    return { count, width: data.length / count, data }
  }
  const known = (width: number, of: (scene: Scene) => Float32Array): Samples => {
    const data = new Float32Array(count * width)
    for (const [i, scene] of scenes.entries()) data.set(of(scene), i * width)
    return { count, width, data }
  }
  return {
    pixels: seen(PIXEL_SIDE, true),
    colour: seen(COLOUR_SIDE, false),
    layout: known(LAYOUT_SIDE ** 2, occupied),
    category: known(kinds.length, shown),
  }
}

/** Which kinds a scene shows, (kinds) of 0 and 1. */
function shown({ objects }: Scene): Float32Array {
  const flags = new Float32Array(kinds.length)
  for (const { kind } of objects) flags[kind] = 1
  return flags
}

/** Which cells an object's square covers at their middle, (8 · 8) of 0 and 1. */
function occupied({ objects }: Scene): Float32Array {
  const cell = world.side / LAYOUT_SIDE
  return Float32Array.from({ length: LAYOUT_SIDE ** 2 }, (_, i) => {
    const [x, y] = [((i % LAYOUT_SIDE) + 0.5) * cell, (Math.floor(i / LAYOUT_SIDE) + 0.5) * cell]
    return Number(objects.some((o) => x >= o.x && x < o.x + o.size && y >= o.y && y < o.y + o.size))
  })
}

/** The first `width` columns of samples. */
function columns({ count, width: all, data }: Samples, width: number): Samples {
  const kept = new Float32Array(count * width)
  for (let i = 0; i < count; i++) kept.set(data.subarray(i * all, i * all + width) as Float32Array, i * width)
  return { count, width, data: kept }
}

const rows = ({ width, data }: Samples, from: number, to: number): Samples => ({
  count: to - from,
  width,
  data: data.subarray(from * width, to * width),
})

/** Fits on the first `train` scenes and judges on the others. */
function judge(embedding: Samples, targets: Record<Property, Samples>, train: number): Record<Property, number> {
  const { count } = embedding
  const groups = Int32Array.from({ length: train }, (_, i) => i % GROUPS)
  // One fit for all properties: the decomposition is what costs.
  const all = join(Object.values(targets))
  const standardised = standardise(embedding, train)
  const model = fitRidge(rows(standardised, 0, train), rows(all, 0, train), groups)
  const predicted = predictRidge(model, rows(standardised, train, count))
  let at = 0
  const scores = properties.map((property) => {
    const target = targets[property]
    const start = at
    at += target.width
    const guess = (i: number, d: number) => predicted[i * all.width + start + d]
    return [property, property === 'category' ? named(target, guess, train) : explained(target, guess, train)] as const
  })
  return Object.fromEntries(scores) as Record<Property, number>
}

/** Columns of samples side by side. */
function join(parts: readonly Samples[]): Samples {
  const width = parts.reduce((sum, part) => sum + part.width, 0)
  const { count } = parts[0]
  const data = new Float32Array(count * width)
  let at = 0
  for (const part of parts) {
    for (let i = 0; i < count; i++)
      data.set(part.data.subarray(i * part.width, (i + 1) * part.width) as Float32Array, i * width + at)
    at += part.width
  }
  return { count, width, data }
}

/** Each column minus its mean, over its SD, of the first `train` rows, so that ridge's penalties mean the same for every representation. */
function standardise({ count, width, data }: Samples, train: number): Samples {
  const out = new Float32Array(data.length)
  for (let d = 0; d < width; d++) {
    let [sum, squares] = [0, 0]
    for (let i = 0; i < train; i++) {
      sum += data[i * width + d]
      squares += data[i * width + d] ** 2
    }
    const mean = sum / train
    const variance = squares / train - mean ** 2
    const inverse = variance > 1e-10 * (squares / train) ? 1 / Math.sqrt(variance) : 0
    for (let i = 0; i < count; i++) out[i * width + d] = (data[i * width + d] - mean) * inverse
  }
  return { count, width, data: out }
}

type Guess = (testRow: number, column: number) => number

/** R² over all numbers of the test scenes, against the training scenes' mean of each. */
function explained({ count, width, data }: Samples, guess: Guess, train: number): number {
  let [left, all] = [0, 0]
  for (let d = 0; d < width; d++) {
    let mean = 0
    for (let i = 0; i < train; i++) mean += data[i * width + d] / train
    for (let i = train; i < count; i++) {
      const value = data[i * width + d]
      left += (value - guess(i - train, d)) ** 2
      all += (value - mean) ** 2
    }
  }
  return 1 - left / all
}

/** How often the likeliest kind is one that the scene shows, 0 for guessing and 1 for always. */
function named({ count, width, data }: Samples, guess: Guess, train: number): number {
  let [right, chance] = [0, 0]
  for (let i = train; i < count; i++) {
    let best = 0
    for (let d = 1; d < width; d++) if (guess(i - train, d) > guess(i - train, best)) best = d
    right += data[i * width + best]
    for (let d = 0; d < width; d++) chance += data[i * width + d] / width
  }
  const test = count - train
  return (right / test - chance / test) / (1 - chance / test)
}
