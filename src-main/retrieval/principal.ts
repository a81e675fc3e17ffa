import * as tf from '@tensorflow/tfjs-core'
import { EigenvalueDecomposition, Matrix, QrDecomposition } from 'ml-matrix'
import { numbersOf } from '../nn/numbers.ts'
import type { Random } from '../nn/random.ts'

/** Vectors iterated together: the two wanted, and some beside them that make these converge faster. */
const VECTORS = 8
const ROUNDS = 60

/**
 * Coordinates (n, 2) of n points along their principal components, from their Gram matrix (n, n), by subspace iteration on the
 * centred one: the points themselves may have 200,000 numbers each. Each axis' longest coordinate is positive. `explained` is
 * each axis' share of the variance.
 */
export function principalCoordinates(
  gram: Float32Array,
  n: number,
  random: Random,
): { xy: Float32Array; explained: [number, number] } {
  const { centred, trace } = centre(gram, n)
  const width = Math.min(n, VECTORS)
  const matrix = tf.tensor2d(centred, [n, n])
  const times = (vectors: Matrix): Matrix => {
    const flat = Float32Array.from(vectors.to1DArray())
    const values = numbersOf(() => tf.matMul(matrix, tf.tensor2d(flat, [n, width])))
    return Matrix.from1DArray(n, width, values)
  }
  try {
    let basis = Matrix.from1DArray(
      n,
      width,
      Array.from({ length: n * width }, () => random.normal()),
    )
    for (let round = 0; round < ROUNDS; round++) basis = new QrDecomposition(times(basis)).orthogonalMatrix
    // Within the subspace the matrix is small, (width, width).
    const inside = basis.transpose().mmul(times(basis))
    const symmetric = inside.add(inside.transpose()).mul(0.5)
    const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true })
    const xy = new Float32Array(n * 2)
    const explained: [number, number] = [0, 0]
    for (let axis = 0; axis < Math.min(2, width); axis++) {
      // Eigenvalues ascend.
      const place = width - 1 - axis
      const vector = basis.mmul(eigenvectorMatrix.getColumnVector(place)).to1DArray()
      const value = Math.max(0, realEigenvalues[place])
      const longest = vector.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0)
      const scale = Math.sqrt(value) * (longest < 0 ? -1 : 1)
      for (let row = 0; row < n; row++) xy[row * 2 + axis] = vector[row] * scale
      explained[axis] = trace > 0 ? value / trace : 0
    }
    return { xy, explained }
  } finally {
    matrix.dispose()
  }
}

/** The Gram matrix of the points moved so that their mean is the origin, and its trace. */
function centre(gram: Float32Array, n: number): { centred: Float32Array; trace: number } {
  const means = new Float64Array(n)
  for (let i = 0; i < gram.length; i++) means[Math.floor(i / n)] += gram[i] / n
  const mean = means.reduce((sum, x) => sum + x, 0) / n
  const centred = new Float32Array(n * n)
  let trace = 0
  for (let row = 0, at = 0; row < n; row++)
    for (let column = 0; column < n; column++, at++) {
      centred[at] = gram[at] - means[row] - means[column] + mean
      if (row === column) trace += centred[at]
    }
  return { centred, trace }
}
