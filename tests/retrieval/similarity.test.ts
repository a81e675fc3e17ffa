import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { encodeNpy, openNpy } from '../../src-main/formats/npy.ts'
import { openBytes } from '../../src-main/formats/source.ts'
import { Random } from '../../src-main/nn/random.ts'
import { cosineSimilarity, normalizeRows, unitBlocks, type Embeddings } from '../../src-main/retrieval/similarity.ts'
import { topK } from '../../src-main/retrieval/topk.ts'
import { failure } from '../support/failure.ts'

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

  it('takes embeddings in blocks of which one exists at a time, from memory or from a file', () => {
    const gallery = embeddings(31, 8, new Random(5))
    const [entry] = openNpy(
      openBytes(encodeNpy({ dtype: 'float32', shape: [31, 2, 4], data: Float32Array.from(gallery.data) }), 'gallery'),
    ).arrays
    const before = tf.memory().numTensors
    for (const source of [gallery, entry]) {
      const rows: number[] = []
      for (const block of unitBlocks(source, 10)) {
        expect(block.shape[0]).toBeLessThanOrEqual(10)
        rows.push(...block.dataSync())
        expect(tf.memory().numTensors).toBe(before + 1)
      }
      expect(Float32Array.from(rows)).toEqual(normalizeRows(gallery))
      expect(tf.memory().numTensors).toBe(before)
    }
  })
})

const AXES = 64

/**
 * Unit vectors along an axis: products with them are exact, and among many rows most are equal to others, yet the best for a
 * query are rare enough to lie far apart.
 */
function tied(count: number, random: Random): Embeddings {
  const data = new Float32Array(count * AXES)
  for (let row = 0; row < count; row++) data[row * AXES + random.int(AXES)] = random.uniform() < 0.5 ? 1 : -1
  return { count, width: AXES, data }
}

/** The k best of a query by a plain sort: of equals the first. */
const sorted = (values: ArrayLike<number>, k: number): number[] =>
  Array.from(values, (_, j) => j)
    .sort((a, b) => values[b] - values[a] || a - b)
    .slice(0, k)

describe('top-k', () => {
  it.each([1, 3, 31, 50])('of %i found block by block equals a full sort', async (k) => {
    const random = new Random(8)
    const queries = embeddings(9, 6, random)
    const gallery = embeddings(31, 6, random)
    const before = tf.memory().numTensors
    const found = await topK(queries, unitBlocks(gallery, 4), k)
    expect(tf.memory().numTensors).toBe(before)
    expect(found.k).toBe(Math.min(k, 31))
    for (let i = 0; i < 9; i++) {
      const order = sorted(
        Array.from({ length: 31 }, (_, j) => cosine(queries, i, gallery, j)),
        k,
      )
      expect([...found.index.subarray(i * found.k, (i + 1) * found.k)]).toEqual(order)
      order.forEach((j, place) => {
        expect(found.similarity[i * found.k + place]).toBeCloseTo(cosine(queries, i, gallery, j), 6)
      })
    }
  })

  // Around the lengths of a stretch of candidates, which are looked at only if the best of them can matter.
  it.each([127, 128, 129, 256, 1000, 2049])('among %i candidates with ties equals a full sort', async (count) => {
    const random = new Random(count)
    const queries = embeddings(1100, AXES, random)
    const gallery = tied(count, random)
    const [left, right] = [normalizeRows(queries), gallery.data]
    for (const rows of [count, 300, 128]) {
      const found = await topK(queries, unitBlocks(gallery, rows), 10)
      for (let i = 0; i < queries.count; i += 23) {
        const values = Float32Array.from({ length: count }, (_, j) => {
          let sum = 0
          for (let d = 0; d < AXES; d++) sum += left[i * AXES + d] * right[j * AXES + d]
          return sum
        })
        const expected = sorted(values, 10)
        expect([...found.index.subarray(i * 10, (i + 1) * 10)]).toEqual(expected)
        expect([...found.similarity.subarray(i * 10, (i + 1) * 10)]).toEqual(expected.map((j) => values[j]))
      }
    }
  })

  it('finds the best where each lies in a stretch of its own', async () => {
    const gallery = { count: 3000, width: 2, data: new Float32Array(6000) }
    for (let row = 0; row < 3000; row++) gallery.data.set(row % 200 ? [0, 1] : [1, (row * 7) % 3000], row * 2)
    const values = Array.from({ length: 3000 }, (_, row) => (row % 200 ? 0 : 1 / Math.hypot(1, (row * 7) % 3000)))
    const found = await topK({ count: 1, width: 2, data: Float32Array.of(3, 0) }, unitBlocks(gallery), 10)
    expect([...found.index]).toEqual(sorted(values, 10))
  })

  it('keeps the order of the gallery among equals', async () => {
    const [best, good, poor] = [[1, 0], [1, 1], [0, 1]] // prettier-ignore
    const gallery = { count: 5, width: 2, data: Float32Array.from([good, best, best, poor, best].flat()) }
    const found = await topK({ count: 1, width: 2, data: Float32Array.from(best) }, unitBlocks(gallery), 4)
    expect([...found.index]).toEqual([1, 2, 4, 0])
  })

  it('refuses a gallery of another width and leaves nothing behind', async () => {
    const random = new Random(1)
    const before = tf.memory().numTensors
    const refused = topK(embeddings(2, 4, random), unitBlocks(embeddings(2, 5, random)), 1)
    expect((await failure(refused)).message).toMatch(/embedding width: expected 4.*found 5/)
    expect(tf.memory().numTensors).toBe(before)
  })
})
