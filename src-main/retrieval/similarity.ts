import * as tf from '@tensorflow/tfjs-core'
import { MindEyeError } from '../base/errors.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { elementCount } from '../formats/array.ts'
import { toFloat32 } from '../formats/elements.ts'
import { numbersOf } from '../nn/numbers.ts'

/** Flattened embeddings: `data` is (count, width) in C order, `width` = tokens x embedding width. */
export interface Embeddings {
  count: number
  width: number
  data: Float32Array
}

/** A block of rows exists three times at most: as read, divided by its norms, and inside the backend. */
const BLOCK_BYTES = 64 * 2 ** 20
const MOST_ROWS = 1 << 14

/**
 * Rows divided by their L2 norm (taken in float64); a row of zeros stays zero, so its similarity with everything is 0.
 * Throws when an embedding is not finite, naming its row counted from `first`: a diverged network has no similarities.
 */
export function normalizeRows({ count, width, data }: Embeddings, first = 0): Float32Array {
  const normalized = new Float32Array(count * width)
  for (let row = 0; row < count; row++) {
    const [start, stop] = [row * width, (row + 1) * width]
    let squares = 0
    for (let i = start; i < stop; i++) squares += data[i] * data[i]
    if (!Number.isFinite(squares))
      throw new MindEyeError({
        kind: 'state',
        where: 'embeddings',
        field: `row ${first + row}`,
        expected: 'finite numbers',
        found: 'NaN or infinity',
        fix: 'The network that made them has diverged; train again with a lower learning rate.',
      })
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0
    for (let i = start; i < stop; i++) normalized[i] = data[i] * scale
  }
  return normalized
}

/** Rows of embeddings as unit rows inside the backend, (count, width). */
export function unitRows(embeddings: Embeddings, first = 0): tf.Tensor2D {
  const { count, width } = embeddings
  return tf.tensor2d(normalizeRows(embeddings, first), [count, width])
}

/**
 * Embeddings in memory, or of an array (n, …) that lies in a file, block by block as unit rows inside the backend.
 * A block is disposed when the next one is asked for, so that no more than one exists.
 */
export function* unitBlocks(embeddings: Embeddings | ArrayEntry, most = MOST_ROWS): Generator<tf.Tensor2D> {
  const inFile = 'readRows' in embeddings
  const count = inFile ? embeddings.shape[0] : embeddings.count
  const width = inFile ? elementCount(embeddings.shape.slice(1)) : embeddings.width
  const rows = Math.max(1, Math.min(most, Math.floor(BLOCK_BYTES / (4 * Math.max(1, width)))))
  for (let start = 0; start < count; start += rows) {
    const stop = Math.min(count, start + rows)
    const data = inFile
      ? toFloat32(embeddings.readRows(start, stop))
      : embeddings.data.subarray(start * width, stop * width)
    const block = unitRows({ count: stop - start, width, data }, start)
    try {
      yield block
    } finally {
      block.dispose()
    }
  }
}

/** Throws an input error unless a gallery's embeddings are as wide as the queries'. */
export function checkWidth(queries: number, gallery: number): void {
  if (queries === gallery) return
  throw new MindEyeError({
    kind: 'input',
    where: 'gallery',
    field: 'embedding width',
    expected: `${queries}, as the brain embeddings have`,
    found: `${gallery}`,
    fix: 'Embed the gallery with the image encoder of the same run.',
  })
}

/** All cosine similarities, (queries.count, gallery.count) in C order. */
export function cosineSimilarity(queries: Embeddings, gallery: Embeddings): Float32Array {
  checkWidth(queries.width, gallery.width)
  const similarity = new Float32Array(queries.count * gallery.count)
  let column = 0
  for (const right of unitBlocks(gallery)) {
    const columns = right.shape[0]
    let row = 0
    for (const left of unitBlocks(queries)) {
      const values = numbersOf(() => tf.matMul(left, right, false, true)) // (rows, columns)
      for (let at = 0; at < values.length; at += columns, row++)
        similarity.set(values.subarray(at, at + columns), row * gallery.count + column)
    }
    column += columns
  }
  return similarity
}
