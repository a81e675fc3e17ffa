import type { Random } from '../nn/random.ts'
import { bootstrapDistribution, mean, percentileInterval } from './statistics.ts'
import type { Interval } from './statistics.ts'

/*
 * What a set of reconstructions is worth as a whole. The unit is the image: several reconstructions of one image (of single trials) are not
 * independent, so they are resampled and exchanged together.
 */

/** Images are exchanged within blocks of at most so many, which keeps the pairs that must be compared few. */
const BLOCK = 16

const RESAMPLES = 2000
const ROUNDS = 9999

/** Images in seeded order cut into blocks of nearly equal size. */
export function exchangeBlocks(images: number, random: Random): Int32Array[] {
  const order = random.permutation(images)
  const blocks = Math.ceil(images / BLOCK)
  return Array.from({ length: blocks }, (_, i) =>
    order.slice(Math.floor((i * images) / blocks), Math.floor(((i + 1) * images) / blocks)),
  )
}

/** Of a metric: its value for image i and reconstruction j, asked for images and reconstructions of one block only. */
export type PairValue = (image: number, recon: number) => number

export interface PairingTest {
  /** Mean over reconstructions paired with every other image of their block. */
  chance: number
  /** One-sided: how often exchanged images do as well as the true ones, these counted among them. */
  p: number
}

/**
 * Permutation test of reconstructions knowing nothing of their images: images are exchanged within `blocks`, 9999 times by `random`.
 * Such exchanges form a group that holds the identity, so p is exact whatever the blocks are. `own`: the image of each reconstruction.
 */
export function pairingTest(
  value: PairValue,
  own: Int32Array,
  blocks: readonly Int32Array[],
  better: 'higher' | 'lower',
  random: Random,
): PairingTest {
  const sign = better === 'higher' ? 1 : -1
  const reconsOf = new Map<number, number[]>()
  own.forEach((image, recon) => reconsOf.set(image, [...(reconsOf.get(image) ?? []), recon]))
  let [true_, others, pairs] = [0, 0, 0]
  /** By block: sums over the reconstructions of image k, paired with image i, (b, b) in C order. */
  const sums = blocks.map((block) => {
    const table = new Float64Array(block.length ** 2)
    block.forEach((image, i) =>
      block.forEach((seen, k) => {
        const recons = reconsOf.get(seen) ?? []
        const sum = recons.reduce((total, recon) => total + value(image, recon), 0)
        table[i * block.length + k] = sum
        if (i === k) true_ += sum
        else {
          others += sum
          pairs += recons.length
        }
      }),
    )
    return table
  })
  // Sums of the same terms in another order round differently; equal ones must count as equal.
  const threshold = sign * true_ - 1e-12 * Math.abs(true_)
  let extreme = 1
  for (let round = 0; round < ROUNDS; round++) {
    let sum = 0
    for (const table of sums) {
      const size = Math.sqrt(table.length)
      const order = random.permutation(size)
      for (let k = 0; k < size; k++) sum += table[order[k] * size + k]
    }
    if (sign * sum >= threshold) extreme++
  }
  return { chance: others / pairs, p: extreme / (ROUNDS + 1) }
}

/** Percentile bootstrap (2000 resamples over images) of the mean of `values`, one per reconstruction. */
export function meanInterval(values: ArrayLike<number>, own: Int32Array, random: Random): Interval {
  const images = [...new Set(own)]
  const place = new Map(images.map((image, i) => [image, i]))
  const [sums, counts] = [new Float64Array(images.length), new Float64Array(images.length)]
  own.forEach((image, recon) => {
    sums[place.get(image)!] += values[recon]
    counts[place.get(image)!]++
  })
  const statistic = (indices: Int32Array): number => {
    let [sum, count] = [0, 0]
    for (const i of indices) {
      sum += sums[i]
      count += counts[i]
    }
    return sum / count
  }
  return percentileInterval(bootstrapDistribution(images.length, statistic, random, RESAMPLES))
}

/** Means of values by image, in ascending order of the images. */
export function meansByImage(values: ArrayLike<number>, own: ArrayLike<number>): Float64Array {
  const byImage = new Map<number, number[]>()
  Array.from(own, (image, i) => byImage.set(image, [...(byImage.get(image) ?? []), values[i]]))
  return Float64Array.from(
    [...byImage].sort(([a], [b]) => a - b),
    ([, own]) => mean(own),
  )
}
