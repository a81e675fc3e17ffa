/**
 * Entry of a short-lived process: loads the backend, multiplies two matrices, measures a large product, prints one line of
 * JSON. In a process of its own, because a library that does not fit the machine crashes instead of throwing.
 */
import * as tf from '@tensorflow/tfjs-core'
import { type BackendInfo, loadBackend } from './backend.ts'

export interface KernelCheck {
  backend: BackendInfo
  /** Whether a small product came out right. */
  correct: boolean
  /** Speed of a large float32 matrix product; 0 when it was not measured. */
  gflops: number
}

const backend = await loadBackend()
const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])).dataSync()
const correct = [19, 22, 43, 50].every((value, i) => product[i] === value)
const gflops = process.argv.includes('--speed') ? measure(backend) : 0
const result: KernelCheck = { backend, correct, gflops }
process.stdout.write(`${JSON.stringify(result)}\n`)

/** Best of a few products of two (n, n) matrices, 2n³ operations each, in 1e9 per second. */
function measure({ gpu, slow }: BackendInfo): number {
  const n = gpu ? 8192 : slow ? 256 : 2048
  const a = tf.reshape<tf.Rank.R2>(tf.linspace(0, 1, n * n), [n, n])
  const b = tf.reshape<tf.Rank.R2>(tf.linspace(1, 0, n * n), [n, n])
  let best = Infinity
  const end = performance.now() + 2000
  for (let i = 0; i < 5 && performance.now() < end; i++) {
    const start = performance.now()
    tf.tidy(() => tf.sum(tf.matMul(a, b)).dataSync())
    best = Math.min(best, performance.now() - start)
  }
  return (2 * n ** 3) / best / 1e6
}
