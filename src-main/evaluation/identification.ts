import { mean } from './statistics.ts'

export interface TwoWayIdentification {
  /** For each reconstruction, the number of images that it correlates less with than with its own. */
  counts: Int32Array
  /** counts / (M − 1): how often a reconstruction's own image wins against another one. */
  perImage: Float64Array
  /** Mean over the reconstructions; chance is 0.5. */
  score: number
}

/**
 * Two-way identification (MindEye §4.2; official Reconstruction_Metrics.py): whether the features of a reconstruction correlate more with
 * those of its own image than with another image's, over all other images. Ties do not count.
 * `r`: correlations of every image with every reconstruction, (M, N) in C order; `own`: the image of each reconstruction, (N).
 */
export function twoWayIdentification(r: Float64Array, own: Int32Array): TwoWayIdentification {
  const n = own.length
  const images = r.length / n
  if (images < 2) throw new RangeError('identification needs two images')
  const wins = pairWins(r, n)
  const counts = own.map((image, recon) => wins[image * n + recon])
  const perImage = Float64Array.from(counts, (count) => count / (images - 1))
  return { counts, perImage, score: mean(perImage) }
}

/**
 * For every image and reconstruction, the number of images that the reconstruction correlates less with: the comparison runs down its column.
 * (M, N), where the image is the reconstruction's own its `counts`.
 */
export function pairWins(r: Float64Array, n: number): Int32Array {
  const wins = new Int32Array(r.length)
  const column = new Float64Array(r.length / n)
  for (let recon = 0; recon < n; recon++) {
    for (let i = 0; i < column.length; i++) column[i] = r[i * n + recon]
    const place = new Map<number, number>()
    column.sort().forEach((value, i) => place.has(value) || place.set(value, i))
    for (let at = recon; at < r.length; at += n) wins[at] = place.get(r[at])!
  }
  return wins
}
