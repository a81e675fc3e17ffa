import * as tf from '@tensorflow/tfjs-core'
import { numbersOf } from '../nn/numbers.ts'

/** Pearson's correlation of two series of one length, in double precision; 0 where one is constant, which tells nothing of the other. */
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
  return quotient(xy, xx * yy)
}

const quotient = (product: number, squares: number): number => (squares > 0 ? product / Math.sqrt(squares) : 0)

/** Features that are multiplied at once; sums over more of them are taken in double precision. */
const CHUNK = 8192

/** Pearson's correlation of every row of x (N, F) with every row of y (M, F): (N, M) in C order, 0 where a row is constant. */
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
  return products.map((v, i) => quotient(v, squares.x[Math.floor(i / m)] * squares.y[i % m]))
}

/** Rows of features, of which not all need to be held at once. */
export interface FeatureRows {
  count: number
  /** Rows `from` up to `to`, (to − from, F); the caller disposes them. */
  read(from: number, to: number): Promise<tf.Tensor2D>
}

/** Rows of either side that are held at once: of pixels at 425 x 425 a quarter of a gigabyte. */
const BLOCK = 128

/** `correlations` of all rows of x with all of y, (x.count, y.count) in C order, block by block; `pause` is awaited between blocks. */
export async function correlationsOf(
  x: FeatureRows,
  y: FeatureRows,
  pause: (done: number, total: number) => Promise<void>,
): Promise<Float64Array> {
  const all = new Float64Array(x.count * y.count)
  const total = x.count * y.count
  for (let i = 0; i < x.count; i += BLOCK) {
    const left = await x.read(i, Math.min(x.count, i + BLOCK))
    try {
      for (let j = 0; j < y.count; j += BLOCK) {
        const columns = Math.min(y.count - j, BLOCK)
        await pause(i * y.count + left.shape[0] * j, total)
        const right = await y.read(j, j + columns)
        const r = correlations(left, right)
        right.dispose()
        for (let row = 0; row < left.shape[0]; row++)
          all.set(r.subarray(row * columns, (row + 1) * columns), (i + row) * y.count + j)
      }
    } finally {
      left.dispose()
    }
  }
  return all
}
