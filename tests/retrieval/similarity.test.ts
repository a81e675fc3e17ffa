import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { Random } from '../../src-main/nn/random.ts'
import {
  cosineSimilarity,
  forEachSimilarityBlock,
  normalizeRows,
  type Embeddings,
} from '../../src-main/retrieval/similarity.ts'
import { nearest } from '../../src-main/retrieval/topk.ts'

function embeddings(count: number, width: number, random: Random): Embeddings {
  return { count, width, data: Float32Array.from({ length: count * width }, () => random.normal()) }
}

/** Cosine in float64, the slow way. */
function cosine(a: Embeddings, i: number, b: Embeddings, j: number): number {
  let dot = 0
  let aa = 0
  let bb = 0
  for (let d = 0; d < a.width; d++) {
    const x = a.data[i * a.width + d]
    const y = b.data[j * b.width + d]
    dot += x * y
    aa += x * x
    bb += y * y
  }
  return aa && bb ? dot / Math.sqrt(aa * bb) : 0
}

beforeAll(() => loadBackend())

describe('cosine similarity', () => {
  it('equals the float64 cosine, whatever the scale of the rows', () => {
    const random = new Random(3)
    const queries = embeddings(5, 12, random)
    const gallery = embeddings(7, 12, random)
    queries.data.subarray(0, 12).forEach((x, d, row) => (row[d] = x * 1e15))
    gallery.data.subarray(12, 24).forEach((x, d, row) => (row[d] = x * 1e-15))
    const similarity = cosineSimilarity(queries, gallery)
    for (let i = 0; i < 5; i++)
      for (let j = 0; j < 7; j++) expect(similarity[i * 7 + j]).toBeCloseTo(cosine(queries, i, gallery, j), 6)
  })

  it('is 0 for an embedding of zeros', () => {
    const gallery = embeddings(3, 4, new Random(1))
    gallery.data.fill(0, 4, 8)
    expect(cosineSimilarity(gallery, gallery)[1]).toBe(0)
    expect(cosineSimilarity(gallery, gallery)[4]).toBe(0)
  })

  it('refuses embeddings that are not finite, naming the row', () => {
    const diverged = embeddings(3, 4, new Random(1))
    diverged.data[9] = NaN
    expect(() => normalizeRows(diverged)).toThrow(/row 2: expected finite numbers/)
  })

  it('refuses a gallery of another width', () => {
    const random = new Random(1)
    expect(() => cosineSimilarity(embeddings(2, 4, random), embeddings(2, 5, random))).toThrow(
      /embedding width: expected 4.*found 5/,
    )
  })

  it('works in blocks of a bounded size and leaves no tensor behind', () => {
    const random = new Random(5)
    const queries = embeddings(23, 8, random)
    const gallery = embeddings(31, 8, random)
    const before = tf.memory().numTensors
    const seen = new Set<number>()
    forEachSimilarityBlock(
      queries,
      gallery,
      ({ queryStart, queryStop, galleryStart, galleryStop, values }) => {
        expect(queryStop - queryStart).toBeLessThanOrEqual(5)
        expect(galleryStop - galleryStart).toBeLessThanOrEqual(5)
        expect(values.length).toBe((queryStop - queryStart) * (galleryStop - galleryStart))
        for (let i = queryStart; i < queryStop; i++)
          for (let j = galleryStart; j < galleryStop; j++) seen.add(i * 31 + j)
      },
      5 * 8 * 4,
    )
    expect(seen.size).toBe(23 * 31)
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('top-k', () => {
  it.each([1, 3, 31, 50])('of %i found block by block equals a full sort', (k) => {
    const random = new Random(8)
    const queries = embeddings(9, 6, random)
    const gallery = embeddings(31, 6, random)
    const found = nearest(queries, gallery, k, 4 * 6 * 4)
    expect(found.k).toBe(Math.min(k, 31))
    for (let i = 0; i < 9; i++) {
      const order = Array.from({ length: 31 }, (_, j) => j).sort(
        (a, b) => cosine(queries, i, gallery, b) - cosine(queries, i, gallery, a),
      )
      expect([...found.index.subarray(i * found.k, (i + 1) * found.k)]).toEqual(order.slice(0, k))
      order.slice(0, k).forEach((j, place) => {
        expect(found.similarity[i * found.k + place]).toBeCloseTo(cosine(queries, i, gallery, j), 6)
      })
    }
  })

  it('keeps the order of the gallery among equals', () => {
    const [best, good, poor] = [[1, 0], [1, 1], [0, 1]] // prettier-ignore
    const gallery = { count: 5, width: 2, data: Float32Array.from([good, best, best, poor, best].flat()) }
    const found = nearest({ count: 1, width: 2, data: Float32Array.from(best) }, gallery, 4)
    expect([...found.index]).toEqual([1, 2, 4, 0])
  })
})
