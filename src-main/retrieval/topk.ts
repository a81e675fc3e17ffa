import { forEachSimilarityBlock, type Embeddings } from './similarity.ts'

/** The k most similar gallery entries of each query, best first; both arrays are (queries, k) in C order. */
export interface Neighbours {
  k: number
  index: Int32Array
  similarity: Float32Array
}

/**
 * Puts a candidate into its place among the k best of one query (`at` .. `at + k` of both arrays, best first).
 * Equal similarities stay in the order in which they were offered.
 */
function offer(best: Neighbours, at: number, candidate: number, similarity: number): void {
  const last = at + best.k - 1
  if (!(similarity > best.similarity[last])) return
  let slot = last
  for (; slot > at && similarity > best.similarity[slot - 1]; slot--) {
    best.similarity[slot] = best.similarity[slot - 1]
    best.index[slot] = best.index[slot - 1]
  }
  best.similarity[slot] = similarity
  best.index[slot] = candidate
}

function noneYet(queries: number, k: number): Neighbours {
  return {
    k,
    index: new Int32Array(queries * k).fill(-1),
    similarity: new Float32Array(queries * k).fill(-Infinity),
  }
}

/**
 * Exact nearest gallery entries by cosine, block by block, so that the whole similarity matrix never exists.
 * Of equal similarities the entry that comes first in the gallery comes first.
 */
export function nearest(queries: Embeddings, gallery: Embeddings, k: number, operandBytes?: number): Neighbours {
  const best = noneYet(queries.count, Math.min(k, gallery.count))
  forEachSimilarityBlock(
    queries,
    gallery,
    ({ queryStart, queryStop, galleryStart, galleryStop, values }) => {
      const columns = galleryStop - galleryStart
      for (let row = queryStart; row < queryStop; row++)
        for (let column = 0; column < columns; column++)
          offer(best, row * best.k, galleryStart + column, values[(row - queryStart) * columns + column])
    },
    operandBytes,
  )
  return best
}
