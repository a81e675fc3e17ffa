import * as tf from '@tensorflow/tfjs-core'
import { MindEyeError } from '../base/errors.ts'
import { numbersOf } from '../nn/numbers.ts'

/** Flattened embeddings: `data` is (count, width) in C order, `width` = tokens x embedding width. */
export interface Embeddings {
  count: number
  width: number
  data: Float32Array
}

/** Cosines of a block of queries with a block of the gallery; `values` is (queryStop - queryStart, galleryStop - galleryStart). */
export interface SimilarityBlock {
  queryStart: number
  queryStop: number
  galleryStart: number
  galleryStop: number
  values: Float32Array
}

/** Two operands and their copies inside the backend, so that about 256 MB is held beside the embeddings themselves. */
const OPERAND_BYTES = 64 * 2 ** 20
const MOST_ROWS = 4096

/**
 * Rows divided by their L2 norm (taken in float64); a row of zeros stays zero, so its similarity with everything is 0.
 * `start`, `stop` choose rows. Throws when an embedding is not finite: a diverged network has no similarities.
 */
export function normalizeRows({ count, width, data }: Embeddings, start = 0, stop = count): Float32Array {
  const normalized = new Float32Array((stop - start) * width)
  for (let row = start; row < stop; row++) {
    const from = data.subarray(row * width, (row + 1) * width)
    let squares = 0
    for (let i = 0; i < width; i++) squares += from[i] * from[i]
    if (!Number.isFinite(squares))
      throw new MindEyeError({
        kind: 'state',
        where: 'embeddings',
        field: `row ${row}`,
        expected: 'finite numbers',
        found: 'NaN or infinity',
        fix: 'The network that made them has diverged; train again with a lower learning rate.',
      })
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0
    const at = (row - start) * width
    for (let i = 0; i < width; i++) normalized[at + i] = from[i] * scale
  }
  return normalized
}

/**
 * Visits all cosine similarities in blocks, exactly (no index, no approximation), with at most about 256 MB in hand.
 * The blocks of one range of queries follow one another. Runs on whichever TensorFlow.js backend is current.
 */
export function forEachSimilarityBlock(
  queries: Embeddings,
  gallery: Embeddings,
  visit: (block: SimilarityBlock) => void,
  operandBytes = OPERAND_BYTES,
): void {
  const { width } = queries
  if (width !== gallery.width)
    throw new MindEyeError({
      kind: 'input',
      where: 'gallery',
      field: 'embedding width',
      expected: `${width}, as the brain embeddings have`,
      found: `${gallery.width}`,
      fix: 'Embed the gallery with the image encoder of the same run.',
    })
  const rows = Math.max(1, Math.min(MOST_ROWS, Math.floor(operandBytes / (4 * Math.max(1, width)))))
  for (let queryStart = 0; queryStart < queries.count; queryStart += rows) {
    const queryStop = Math.min(queries.count, queryStart + rows)
    const left = tf.tensor2d(normalizeRows(queries, queryStart, queryStop), [queryStop - queryStart, width])
    for (let galleryStart = 0; galleryStart < gallery.count; galleryStart += rows) {
      const galleryStop = Math.min(gallery.count, galleryStart + rows)
      const values = numbersOf(() => {
        const right = tf.tensor2d(normalizeRows(gallery, galleryStart, galleryStop), [
          galleryStop - galleryStart,
          width,
        ])
        return tf.matMul(left, right, false, true)
      })
      visit({ queryStart, queryStop, galleryStart, galleryStop, values })
    }
    left.dispose()
  }
}

/** All cosine similarities, (queries.count, gallery.count) in C order. */
export function cosineSimilarity(queries: Embeddings, gallery: Embeddings): Float32Array {
  const similarity = new Float32Array(queries.count * gallery.count)
  forEachSimilarityBlock(queries, gallery, ({ queryStart, queryStop, galleryStart, galleryStop, values }) => {
    const columns = galleryStop - galleryStart
    for (let row = queryStart; row < queryStop; row++)
      similarity.set(
        values.subarray((row - queryStart) * columns, (row - queryStart + 1) * columns),
        row * gallery.count + galleryStart,
      )
  })
  return similarity
}
