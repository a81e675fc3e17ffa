/** How well a demo pack does on scenes that none of its networks has seen. */
import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import type { Denoiser } from '../../src-main/diffusion/denoiser.ts'
import { NoiseTable } from '../../src-main/diffusion/tables.ts'
import { UniPC } from '../../src-main/diffusion/unipc.ts'
import { pearson } from '../../src-main/evaluation/correlation.ts'
import { mean } from '../../src-main/evaluation/statistics.ts'
import { loadDenoiser } from '../../src-main/models/loadDenoiser.ts'
import { readSchedule } from '../../src-main/models/packParts.ts'
import { loadAutoencoderKl, loadClipVision, loadSceneClassifier } from '../../src-main/models/pretrained.ts'
import { normalNoise } from '../../src-main/nn/noise.ts'
import { Random } from '../../src-main/nn/random.ts'
import type { Scene } from '../../src-main/subjects/simulator/scenes.ts'
import { clipPixels } from '../../src-main/training/augmentation.ts'
import { batches } from './latents.ts'
import type { Scenes } from './world.ts'
import { pictureBatch } from './world.ts'

export interface Sampling {
  steps: number
  guidance: number
}

/** What the classifier says of pictures of scenes, shares of all. */
export interface Named {
  /** The likeliest kind is in the scene. */
  any: number
  /** The likeliest kind is the scene's largest object (of equals, either). */
  largest: number
  /** Of a scene with n objects, the n likeliest kinds are exactly its kinds. */
  all: number
}

export interface Judgement {
  scenes: number
  /** On originals, on what the autoencoder makes of them, on reconstructions from true tokens. */
  named: Record<'originals' | 'autoencoded' | 'reconstructed', Named>
  /** Pearson's correlation over all pixels and colours at the pictures' own size, mean over scenes. */
  pixCorr: Record<'autoencoded' | 'reconstructed', number>
  /** Peak signal-to-noise ratio of autoencoded pictures, from the mean squared error over all. */
  decibel: number
  /** Share of reconstructions whose tokens, encoded again, are nearest to the scene's own among all scenes'. */
  retrieved: number
}

/** The pack's networks; dispose them when done. */
export function openNetworks(pack: string) {
  const [encoder, autoencoder] = [loadClipVision(join(pack, 'image_encoder')), loadAutoencoderKl(join(pack, 'vae'))]
  const classifier = loadSceneClassifier(join(pack, 'classifier'))
  const denoiser = loadDenoiser(join(pack, 'image_unet'))
  const table = new NoiseTable(readSchedule(join(pack, 'scheduler')).betas)
  return {
    encode: (pictures: tf.Tensor4D) =>
      encoder.model.embedding(clipPixels(pictures, encoder.model.config.image)) as tf.Tensor3D,
    scores: (pictures: tf.Tensor4D) => classifier.model.scores(pictures),
    autoencode: (pictures: tf.Tensor4D) =>
      tf.tidy(() => toPictures(autoencoder.model.decode(autoencoder.model.mode(tf.sub(tf.mul(pictures, 2), 1))))),
    /** Pictures (B, …) in [0, 1] from tokens (B, T, D). */
    reconstruct(tokens: tf.Tensor3D, sampling: Sampling, random: Random): tf.Tensor4D {
      const latents = sample(denoiser, table, tokens, sampling, random)
      return tf.tidy(() => {
        const pictures = autoencoder.model.decode(tf.div(latents, autoencoder.model.config.scalingFactor))
        latents.dispose()
        return toPictures(pictures)
      })
    },
    dispose() {
      for (const { parameters } of [encoder, autoencoder, classifier]) parameters.dispose()
      denoiser.dispose()
    },
  }
}

const toPictures = (decoded: tf.Tensor4D): tf.Tensor4D => tf.clipByValue(tf.add(tf.mul(decoded, 0.5), 0.5), 0, 1)

/** Latents (B, h, w, L) times the scaling factor, from noise. */
function sample(
  denoiser: Denoiser,
  table: NoiseTable,
  tokens: tf.Tensor3D,
  { steps, guidance }: Sampling,
  random: Random,
): tf.Tensor4D {
  const [batch] = tokens.shape
  const scheduler = new UniPC(table, { prediction: denoiser.prediction })
  scheduler.setTimesteps(steps)
  const pair = tf.tidy(() => tf.concat([tf.zerosLike(tokens), tokens], 0))
  const condition = denoiser.condition(pair)
  pair.dispose()
  const { latentSide, latentChannels } = denoiser
  let x = normalNoise([batch, latentSide, latentSide, latentChannels], random) as tf.Tensor4D
  for (const t of scheduler.timesteps) {
    const next = tf.tidy(() => {
      const [none, given] = tf.split(condition.predict(tf.concat([x, x], 0), t), 2, 0)
      return scheduler.step(tf.add(none, tf.mul(tf.sub(given, none), guidance)), t, x) as tf.Tensor4D
    })
    x.dispose()
    x = next
  }
  condition.dispose()
  scheduler.reset()
  return x
}

const SEED = 20

/** Judges a pack by scenes; the same call gives the same figures. */
export function judge(pack: string, scenes: Scenes, sampling: Sampling): Judgement {
  const networks = openNetworks(pack)
  const random = new Random(SEED)
  const scores = { originals: new Array<Named>(), autoencoded: new Array<Named>(), reconstructed: new Array<Named>() }
  const pixCorr = { autoencoded: new Array<number>(), reconstructed: new Array<number>() }
  const errors: number[] = []
  const [own, again]: [Float32Array[], Float32Array[]] = [[], []]
  for (const items of batches(scenes)) {
    const chosen = items.map((item) => scenes.scenes[item])
    const originals = pictureBatch(scenes, items)
    const tokens = networks.encode(originals)
    const pictures = {
      originals,
      autoencoded: networks.autoencode(originals),
      reconstructed: networks.reconstruct(tokens, sampling, random.split(items[0])),
    }
    const [truth, autoencoded, reconstructed] = Object.values(pictures).map(rows)
    for (const [i, original] of truth.entries()) {
      pixCorr.autoencoded.push(pearson(original, autoencoded[i]))
      pixCorr.reconstructed.push(pearson(original, reconstructed[i]))
      errors.push(mean(original.map((value, at) => (value - autoencoded[i][at]) ** 2)))
    }
    for (const [name, made] of Object.entries(pictures) as [keyof typeof pictures, tf.Tensor4D][])
      scores[name].push(...rows(networks.scores(made)).map((row, i) => named(row, chosen[i])))
    const encoded = networks.encode(pictures.reconstructed)
    own.push(...rows(tokens))
    again.push(...rows(encoded))
    tf.dispose([pictures, tokens, encoded])
  }
  networks.dispose()
  const share = (all: Named[]): Named => ({
    any: mean(all.map(({ any }) => any)),
    largest: mean(all.map(({ largest }) => largest)),
    all: mean(all.map(({ all }) => all)),
  })
  return {
    scenes: errors.length,
    named: {
      originals: share(scores.originals),
      autoencoded: share(scores.autoencoded),
      reconstructed: share(scores.reconstructed),
    },
    pixCorr: { autoencoded: mean(pixCorr.autoencoded), reconstructed: mean(pixCorr.reconstructed) },
    decibel: -10 * Math.log10(mean(errors)),
    retrieved: retrievedShare(again, own),
  }
}

/** 1 or 0 for each question about a scene. */
function named(scores: Float32Array, { objects }: Scene): Named {
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a])
  const kinds = objects.map(({ kind }) => kind)
  const largest = Math.max(...objects.map(({ size }) => size))
  const likeliest = order.slice(0, kinds.length)
  return {
    any: Number(kinds.includes(order[0])),
    largest: Number(objects.some(({ kind, size }) => kind === order[0] && size === largest)),
    all: Number(likeliest.every((kind) => kinds.includes(kind))),
  }
}

/** Rows of (B, …). */
function rows(x: tf.Tensor): Float32Array[] {
  const data = x.dataSync<'float32'>()
  const size = data.length / x.shape[0]
  return Array.from({ length: x.shape[0] }, (_, i) => data.slice(i * size, (i + 1) * size))
}

/** Share of queries whose own candidate correlates most with them. */
function retrievedShare(queries: Float32Array[], candidates: Float32Array[]): number {
  const [from, to] = [queries, candidates].map((set) => {
    const matrix = tf.tensor2d(
      set.flatMap((row) => [...row]),
      [set.length, set[0].length],
    )
    return tf.div(matrix, tf.norm(matrix, 2, 1, true))
  })
  const best = tf.argMax(tf.matMul(from, to, false, true), 1).dataSync()
  return mean([...best].map((candidate, i) => Number(candidate === i)))
}
