import * as tf from '@tensorflow/tfjs-core'
import { numbersOf } from '../nn/numbers.ts'

/** Pearson's correlation of two series of one length, in double precision; NaN where one is constant. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const n = x.length
  let [meanX, meanY] = [0, 0]
  for (let i = 0; i < n; i++) {
    meanX += x[i]
    meanY += y[i]
  }
  meanX /= n
  meanY /= n
  let [xx, yy, xy] = [0, 0, 0]
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [x[i] - meanX, y[i] - meanY]
    xx += dx * dx
    yy += dy * dy
    xy += dx * dy
  }
  return xy / Math.sqrt(xx * yy)
}

/** Features that are multiplied at once; sums over more of them are taken in double precision. */
const CHUNK = 8192

/** Pearson's correlation of every row of x (N, F) with every row of y (M, F): (N, M) in C order, NaN where a row is constant. */
export function correlations(x: tf.Tensor2D, y: tf.Tensor2D): Float64Array {
  const [n, m] = [x.shape[0], y.shape[0]]
  const products = new Float64Array(n * m)
  const squares = { x: new Float64Array(n), y: new Float64Array(m) }
  const add = (sums: Float64Array, compute: () => tf.Tensor) => numbersOf(compute).forEach((v, i) => (sums[i] += v))
  const means = tf.tidy(() => [x, y].map((rows) => tf.mean(rows, 1, true))) // (N, 1), (M, 1)
  for (let from = 0; from < x.shape[1]; from += CHUNK) {
    const size = Math.min(CHUNK, x.shape[1] - from)
    const [cx, cy] = tf.tidy(() =>
      [x, y].map((rows, i) => tf.sub<tf.Tensor2D>(tf.slice(rows, [0, from], [-1, size]), means[i])),
    )
    add(products, () => tf.matMul(cx, cy, false, true))
    add(squares.x, () => tf.sum(tf.square(cx), 1))
    add(squares.y, () => tf.sum(tf.square(cy), 1))
    tf.dispose([cx, cy])
  }
  tf.dispose(means)
  return products.map((v, i) => v / Math.sqrt(squares.x[Math.floor(i / m)] * squares.y[i % m]))
}
