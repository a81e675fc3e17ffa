import { numbersOf } from '../nn/numbers.ts'
import type { ClipEncoder } from '../training/clipEncoder.ts'
import { pictureTensor } from './pixels.ts'
import type { Choice, FloatPicture } from './sets.ts'

/** Stage 7: second-order selection (MindEye §3.3). */

/** Cosine of two vectors. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, ofA, ofB] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i]
    ofA += a[i] * a[i]
    ofB += b[i] * b[i]
  }
  return dot / Math.sqrt(ofA * ofB)
}

/** The candidate with the highest score, the first of equals; scores that are no numbers never win. */
export function best(scores: readonly number[]): number {
  let chosen = 0
  for (const [i, score] of scores.entries()) if (Number.isNaN(scores[chosen]) || score > scores[chosen]) chosen = i
  return chosen
}

/** How near the embeddings of candidates come to the one decoded from the brain, (T·D): cosine of all tokens together. */
export function choose(encoder: ClipEncoder, candidates: readonly FloatPicture[], projected: Float32Array): Choice {
  const embeddings = numbersOf(() => encoder.embed(pictureTensor(candidates))) // (K, T·D)
  const size = projected.length
  const scores = candidates.map((_, i) => cosine(embeddings.subarray(i * size, (i + 1) * size), projected))
  return { chosen: best(scores), scores }
}
