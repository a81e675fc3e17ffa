/** The k most similar gallery entries of each query, best first; both arrays are (queries, k) in C order. */
export interface Neighbours {
  k: number
  index: Int32Array
  similarity: Float32Array
}

/** Places for the k best of each query, all empty: index -1 and a similarity that anything beats. */
export function noneYet(queries: number, k: number, similarity = -Infinity): Neighbours {
  return {
    k,
    index: new Int32Array(queries * k).fill(-1),
    similarity: new Float32Array(queries * k).fill(similarity),
  }
}

/**
 * Puts a candidate into its place among the k best of one query (`at` .. `at + k` of both arrays, best first).
 * Equal similarities stay in the order in which they were offered.
 */
export function offer(best: Neighbours, at: number, candidate: number, similarity: number): void {
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

/** The first `count` of the k places, where a gallery has no more entries. */
export function firstOf({ k, index, similarity }: Neighbours, count: number): Neighbours {
  const keeps = (_: number, at: number) => at % k < count
  return { k: count, index: index.filter(keeps), similarity: similarity.filter(keeps) }
}
