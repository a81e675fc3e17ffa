import * as tf from '@tensorflow/tfjs-core'
import { numbersOf } from '../nn/numbers.ts'
import { firstOf, noneYet, offer } from './best.ts'
import type { Neighbours } from './best.ts'
import { checkWidth, unitBlocks, type Embeddings } from './similarity.ts'

/** Queries whose products with a block of the gallery exist at a time. */
const QUERIES_AT_ONCE = 1024

/** Candidates that are looked at one by one only if the best of them can matter. */
const STRETCH = 128

/**
 * Exact nearest gallery entries by cosine (no index, no approximation). The gallery passes by once, as blocks of unit rows
 * (n, width) inside the backend, from wherever they come: `unitBlocks` of an array or a file, tensors that stay, an encoder at
 * work. Neither all of it nor the matrix of similarities needs to exist. Blocks of about 16,000 rows are fastest.
 * Of equal similarities the entry that comes first in the gallery comes first.
 */
export async function topK(
  queries: Embeddings,
  gallery: Iterable<tf.Tensor2D> | AsyncIterable<tf.Tensor2D>,
  k: number,
): Promise<Neighbours> {
  const best = noneYet(queries.count, k)
  const asked: tf.Tensor2D[] = []
  let count = 0
  try {
    for (const block of unitBlocks(queries, QUERIES_AT_ONCE)) asked.push(tf.clone(block))
    for await (const block of gallery) {
      checkWidth(queries.width, block.shape[1])
      let query = 0
      for (const part of asked) {
        const products: tf.Tensor2D = tf.matMul(part, block, false, true) // (queries, n)
        offerProducts(best, query, count, products)
        products.dispose()
        query += part.shape[0]
      }
      count += block.shape[0]
    }
  } finally {
    tf.dispose(asked)
  }
  return count < k ? firstOf(best, count) : best
}

/**
 * Offers similarities (queries, n) of queries from `query` with candidates from `first`. Of each query the k best lie in those k
 * stretches of candidates whose best are the k best of all stretches, so only these are taken out of the backend.
 */
function offerProducts(best: Neighbours, query: number, first: number, products: tf.Tensor2D): void {
  const [queries, n] = products.shape
  const stretches = Math.floor(n / STRETCH)
  const whole = stretches * STRETCH
  if (stretches) {
    const inWhole = whole === n ? products : tf.slice(products, [0, 0], [-1, whole])
    const rows = tf.reshape(inWhole, [queries * stretches, STRETCH])
    const largest = numbersOf(() => tf.max(rows, 1)) // (queries · stretches)
    const chosen = Array.from({ length: queries }, (_, q) =>
      promising(best, query + q, largest.subarray(q * stretches, (q + 1) * stretches)),
    )
    const places = chosen.flatMap((ofQuery, q) => ofQuery.map((stretch) => q * stretches + stretch))
    if (places.length) {
      const values = numbersOf(() => tf.gather(rows, tf.tensor1d(places, 'int32'))) // (places, STRETCH)
      for (const [i, place] of places.entries())
        for (let c = 0; c < STRETCH; c++) {
          const q = Math.floor(place / stretches)
          const candidate = first + (place % stretches) * STRETCH + c
          offer(best, (query + q) * best.k, candidate, values[i * STRETCH + c])
        }
    }
    rows.dispose()
    if (inWhole !== products) inWhole.dispose()
  }
  if (whole === n) return
  const rest = numbersOf(() => tf.slice(products, [0, whole], [-1, -1])) // (queries, n − whole)
  for (let q = 0, at = 0; q < queries; q++)
    for (let c = whole; c < n; c++) offer(best, (query + q) * best.k, first + c, rest[at++])
}

/** The at most k stretches, in their order, that can hold one of the k best of a query, given the largest of each stretch. */
function promising(best: Neighbours, query: number, largest: Float32Array): number[] {
  const { k } = best
  const stretches = noneYet(1, k, best.similarity[(query + 1) * k - 1])
  largest.forEach((similarity, stretch) => offer(stretches, 0, stretch, similarity))
  return [...stretches.index].filter((stretch) => stretch >= 0).sort((a, b) => a - b)
}
