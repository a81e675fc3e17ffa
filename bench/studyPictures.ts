/**
 * How well a finished run of a small study reconstructs what was seen, at the pictures' own size and by the published definition. Loads
 * TensorFlow into this process.
 */
import * as tf from '@tensorflow/tfjs-core'
import { correlations } from '../src-main/evaluation/correlation.ts'
import { twoWayIdentification } from '../src-main/evaluation/identification.ts'
import { moments, pixelMetrics, structuralSimilarity } from '../src-main/evaluation/pixelMetrics.ts'
import { mean } from '../src-main/evaluation/statistics.ts'
import { openStudyReconstructor } from '../src-main/reconstruction/study.ts'
import type { RunPlace } from '../src-main/retrieval/repeats.ts'
import { makeFolds } from '../src-main/subjects/splits.ts'
import { openSubject } from '../src-main/subjects/subject.ts'
import { averagedVoxels, groupItems } from '../src-main/training/examples.ts'
import { foldFiles, loadScaling } from '../src-main/training/foldFiles.ts'
import { foldFolder } from '../src-main/training/foldTest.ts'
import { partShape } from '../src-main/training/pictureParts.ts'
import { squaredPictures } from '../src-main/training/trainDecoders.ts'

/** What is scored: the mean training picture, the parts of the blend, and the blend. */
export const pictureNames = ['mean', 'ridge', 'low', 'high', 'combined'] as const
type Name = (typeof pictureNames)[number]

export interface PictureScores {
  pixCorr: number
  ssim: number
  /** Pixels: own image against each other trial's. */
  twoWay: number
  /** Own image among the k that correlate most, of the distinct held-out images. */
  top1: number
  top3: number
  /** By the published definition, at 425 x 425. */
  published: { pixCorr: number; ssim: number }
}

export async function scorePictures(place: RunPlace): Promise<Record<Name, PictureScores>> {
  const subject = await openSubject(place.subjectFolder)
  const { config } = place
  const { side, channels } = partShape(config, subject.manifest.image)
  const size = side * side * channels
  const made: Record<Name, number[]> = { mean: [], ridge: [], low: [], high: [], combined: [] }
  const stimuli: number[] = []
  for (const [index, fold] of makeFolds(subject.trials, place.split, place.seed).entries()) {
    const items = groupItems(subject.trials, fold.test, config.items)
    const scaling = loadScaling(foldFiles(foldFolder(place.runFolder, index)).scaling)
    const reconstructor = openStudyReconstructor(place, index)
    const { ridge = new Float32Array(), ...kinds } = reconstructor.reconstruct(averagedVoxels(subject, scaling, items))
    reconstructor.dispose()
    const train = groupItems(subject.trials, fold.train, config.items).stimulus
    const average = columnMeans(await squaredPictures(subject, train, config), size)
    for (const [name, pictures] of Object.entries({ ridge, ...kinds })) append(made[name as Name], pictures)
    for (const stimulus of items.stimulus) {
      append(made.mean, average)
      stimuli.push(stimulus)
    }
  }
  const seen = await squaredPictures(subject, Int32Array.from(stimuli), config)
  subject.close()
  const shape = { side, channels }
  return Object.fromEntries(
    pictureNames.map((name) => [name, score(Float32Array.from(made[name]), seen, stimuli, shape)]),
  ) as Record<Name, PictureScores>
}

function append(to: number[], values: Float32Array): void {
  for (const value of values) to.push(value)
}

function columnMeans(rows: Float32Array, width: number): Float32Array {
  const means = new Float32Array(width)
  rows.forEach((x, i) => (means[i % width] += (x * width) / rows.length))
  return means
}

function score(
  made: Float32Array,
  seen: Float32Array,
  stimuli: readonly number[],
  { side, channels }: { side: number; channels: number },
): PictureScores {
  const [n, size] = [stimuli.length, side * side * channels]
  const [images, recons] = [seen, made].map((pixels) => tf.tensor2d(pixels, [n, size]))
  const r = correlations(images, recons) // (image, recon)
  // The same image seen in several trials is one candidate.
  const pool = [...new Set(stimuli)].map((stimulus) => stimuli.indexOf(stimulus))
  const rank = (i: number) => pool.filter((j) => stimuli[j] !== stimuli[i] && r[j * n + i] >= r[i * n + i]).length
  const ranks = stimuli.map((_, i) => rank(i))
  const twoWay = twoWayIdentification(
    r,
    Int32Array.from(stimuli, (_, i) => i),
  ).score
  const cube = (pixels: tf.Tensor2D) =>
    tf.tile(tf.reshape(pixels, [n, side, side, channels]), [1, 1, 1, 3 / channels]) as tf.Tensor4D
  const published = pixelMetrics(cube(images), cube(recons))
  tf.dispose([images, recons])
  const row = (pixels: Float32Array, i: number) => Float64Array.from(pixels.subarray(i * size, (i + 1) * size))
  return {
    pixCorr: mean(stimuli.map((_, i) => r[i * n + i])),
    ssim:
      channels === 1
        ? mean(stimuli.map((_, i) => structuralSimilarity(moments(row(seen, i), side), moments(row(made, i), side))))
        : Number.NaN,
    twoWay,
    top1: mean(ranks.map((rank) => Number(rank < 1))),
    top3: mean(ranks.map((rank) => Number(rank < 3))),
    published: { pixCorr: mean([...published.pixCorr]), ssim: mean([...published.ssim]) },
  }
}
