import * as tf from '@tensorflow/tfjs-core'
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { beforeAll, expect, test } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { Random } from '../../src-main/nn/random.ts'
import { layOut } from '../../src-main/retrieval/embeddingMap.ts'
import { principalCoordinates } from '../../src-main/retrieval/principal.ts'
import { normalizeRows } from '../../src-main/retrieval/similarity.ts'

beforeAll(() => loadBackend())
const quiet = { signal: new AbortController().signal, progress: () => {} }
const random = new Random(3)
const [n, width] = [40, 12]
/** Three directions of clearly different spread, and noise. */
const data = Float32Array.from(
  { length: n * width },
  (_, i) => random.normal() * [5, 3, 1][i % width] || 0.2 * random.normal(),
)

test('principal coordinates are those of the covariance matrix', () => {
  const points = Matrix.from1DArray(n, width, data)
  const gram = Float32Array.from(points.mmul(points.transpose()).to1DArray())
  const { xy, explained } = principalCoordinates(gram, n, new Random(1))
  const centred = points.subRowVector(points.mean('column'))
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(centred.transpose().mmul(centred))
  const total = realEigenvalues.reduce((a, b) => a + b, 0)
  const order = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b] - realEigenvalues[a])
  for (const axis of [0, 1]) {
    const wanted = centred.mmul(eigenvectorMatrix.getColumnVector(order[axis])).to1DArray()
    const found = Array.from({ length: n }, (_, row) => xy[row * 2 + axis])
    const sign = Math.sign(wanted[0] * found[0])
    found.forEach((value, row) => expect(value).toBeCloseTo(sign * wanted[row], 2))
    expect(explained[axis]).toBeCloseTo(realEigenvalues[order[axis]] / total, 4)
    expect(Math.max(...found)).toBeCloseTo(Math.max(...found.map(Math.abs)), 5)
  }
  expect(tf.memory().numTensors).toBe(0)
})

test.each(['pca', 'umap'] as const)('%s keeps two clusters apart, and is the same every time', async (method) => {
  const rows = Float32Array.from({ length: 60 * 8 }, (_, i) => {
    const cluster = Math.floor(i / 8) % 2
    return (i % 8 === cluster ? 5 : 0) + 0.5 * random.normal()
  })
  const embeddings = { count: 60, width: 8, data: normalizeRows({ count: 60, width: 8, data: rows }) }
  const [first, second] = [await layOut(embeddings, method, quiet), await layOut(embeddings, method, quiet)]
  expect(first.xy).toEqual(second.xy)
  const distance = (a: number, b: number) =>
    Math.hypot(first.xy[2 * a] - first.xy[2 * b], first.xy[2 * a + 1] - first.xy[2 * b + 1])
  for (let row = 0; row < 60; row++) {
    const others = [...Array(60).keys()].filter((other) => other !== row)
    const nearest = others.reduce((best, other) => (distance(row, other) < distance(row, best) ? other : best))
    expect(nearest % 2).toBe(row % 2)
  }
})
