/**
 * Exact top-10 of a resident gallery, timed; the batch is the number of queries. Both sides hold the gallery in memory, which
 * counts as memory that the work takes. See measure.ts for arguments.
 */
import * as tf from '@tensorflow/tfjs-core'
import { Random } from '../src-main/nn/random.ts'
import type { Embeddings } from '../src-main/retrieval/similarity.ts'
import { unitBlocks } from '../src-main/retrieval/similarity.ts'
import { topK } from '../src-main/retrieval/topk.ts'
import { benchmark } from './measure.ts'

const [WIDTH, BEST, BLOCK] = [768, 10, 1 << 14]

await benchmark({
  sizes: { full: 1_000_000, medium: 100_000, tiny: 10_000 },
  batch: 300,
  prepare(count, queryCount) {
    const random = new Random(0)
    const embeddings = (rows: number): Embeddings => ({
      count: rows,
      width: WIDTH,
      data: Float32Array.from({ length: rows * WIDTH }, () => random.uniform() - 0.5),
    })
    const queries = embeddings(queryCount)
    const gallery: tf.Tensor2D[] = []
    for (let at = 0; at < count; at += BLOCK)
      for (const block of unitBlocks(embeddings(Math.min(BLOCK, count - at))))
        // An operation takes the numbers into TensorFlow; until then they would stay in JavaScript.
        gallery.push(tf.reshape(block, block.shape))
    return {
      parameters: count * WIDTH,
      step: async () => (await topK(queries, gallery, BEST)).similarity.reduce((sum, x) => sum + x, 0),
    }
  },
})
