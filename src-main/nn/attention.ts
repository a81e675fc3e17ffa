import * as tf from '@tensorflow/tfjs-core'
import { computesOnGpu } from './raw.ts'

/** Scores (query · key) that exist at a time: 16 MB of them where a cache may hold them, 256 MB on a graphics card. */
const scoresAtATime = () => (computesOnGpu() ? 1 << 26 : 1 << 22)
/** Queries that make a matrix product worth its while. */
const ROWS = 256

/** (B, N, heads·d) → (B·heads, N, d). */
function splitHeads(x: tf.Tensor, heads: number): tf.Tensor3D {
  const [batch, tokens, width] = x.shape
  if (heads === 1) return x as tf.Tensor3D
  const split = tf.transpose(tf.reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3])
  return tf.reshape(split, [batch * heads, tokens, width / heads])
}

/** (B·heads, N, d) → (B, N, heads·d). */
function joinHeads(x: tf.Tensor, heads: number): tf.Tensor3D {
  const [all, tokens, width] = x.shape
  if (heads === 1) return x as tf.Tensor3D
  const split = tf.transpose(tf.reshape(x, [all / heads, heads, tokens, width]), [0, 2, 1, 3])
  return tf.reshape(split, [all / heads, tokens, heads * width])
}

interface Factors {
  scale: number
  /** Scores that may exist at a time. */
  scores: number
}

/** A range of heads and a range of their queries. */
interface Block {
  head: number
  heads: number
  row: number
  rows: number
}

/** Blocks of few enough scores, head by head. */
function blocksOf(q: tf.Tensor3D, keys: number, scores: number): Block[] {
  const [all, tokens] = q.shape
  const heads = Math.min(all, Math.max(1, Math.floor(scores / (keys * Math.min(tokens, ROWS)))))
  const rows = Math.min(tokens, Math.max(1, Math.floor(scores / (keys * heads))))
  const blocks: Block[] = []
  for (let head = 0; head < all; head += heads)
    for (let row = 0; row < tokens; row += rows)
      blocks.push({ head, heads: Math.min(heads, all - head), row, rows: Math.min(rows, tokens - row) })
  return blocks
}

const queriesOf = (x: tf.Tensor3D, { head, heads, row, rows }: Block) =>
  x.shape[0] === heads && x.shape[1] === rows ? x : tf.slice(x, [head, row, 0], [heads, rows, -1])
const keysOf = (x: tf.Tensor3D, { head, heads }: Block) =>
  x.shape[0] === heads ? x : tf.slice(x, [head, 0, 0], [heads, -1, -1])

/** softmax(scale · q kᵀ) of a block, (heads, rows, keys). */
const probabilities = (q: tf.Tensor3D, k: tf.Tensor3D, scale: number): tf.Tensor3D =>
  tf.tidy(() => tf.softmax(tf.matMul(tf.mul(q, scale), k, false, true)))

/** Joins blocks, which are in order, to all heads and rows. */
function join(parts: tf.Tensor3D[], blocks: readonly Block[]): tf.Tensor3D {
  const byHead: tf.Tensor3D[][] = []
  for (const [i, part] of parts.entries()) {
    if (blocks[i].row === 0) byHead.push([])
    byHead[byHead.length - 1].push(part)
  }
  return tf.concat(
    byHead.map((rows) => tf.concat(rows, 1)),
    0,
  )
}

/** (heads, N, d) each → (heads, N, d). */
function forward([q, k, v]: tf.Tensor3D[], { scale, scores }: Factors): tf.Tensor3D {
  const blocks = blocksOf(q, k.shape[1], scores)
  const parts = blocks.map((block): tf.Tensor3D =>
    tf.tidy(() => tf.matMul(probabilities(queriesOf(q, block), keysOf(k, block), scale), keysOf(v, block))),
  )
  return join(parts, blocks)
}

/** The keys' gradients of a range of heads are the sum over its blocks. */
function addTo(sums: tf.Tensor3D[], part: tf.Tensor3D, { row }: Block): void {
  const before = row > 0 ? sums.pop() : undefined
  sums.push(before ? tf.add(before, part) : part)
  if (before) tf.dispose([before, part])
}

/** [dq, dk, dv] from the output's gradient; the probabilities are computed again, block by block. */
function backward(dout: tf.Tensor3D, [q, k, v]: tf.Tensor3D[], { scale, scores }: Factors): tf.Tensor3D[] {
  const blocks = blocksOf(q, k.shape[1], scores)
  const queries: tf.Tensor3D[] = []
  const keys: tf.Tensor3D[] = []
  const values: tf.Tensor3D[] = []
  for (const block of blocks) {
    const [dq, dk, dv] = tf.tidy((): tf.Tensor3D[] => {
      const [queriesBlock, dOut] = [queriesOf(q, block), queriesOf(dout, block)]
      const p = probabilities(queriesBlock, keysOf(k, block), scale)
      const dp = tf.matMul(dOut, keysOf(v, block), false, true)
      const pdp = tf.mul(p, dp)
      const ds = tf.mul(tf.sub(pdp, tf.mul(p, tf.sum(pdp, 2, true))), scale) as tf.Tensor3D
      return [
        tf.matMul(ds, keysOf(k, block)),
        tf.matMul(ds, queriesBlock, true, false),
        tf.matMul(p, dOut, true, false),
      ]
    })
    queries.push(dq)
    addTo(keys, dk, block)
    addTo(values, dv, block)
  }
  return [join(queries, blocks), tf.concat(keys, 0), tf.concat(values, 0)]
}

/**
 * Scaled dot-product attention, softmax(scale · q kᵀ) v per head: q (B, N, C), k and v (B, M, C) → (B, N, C). On the tape where there is
 * one. At most `scores` scores exist at a time, in the backward pass too, so that 4096 tokens take no more memory than they have to.
 */
export function attend(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  heads = 1,
  scale = 1 / Math.sqrt(q.shape[q.shape.length - 1] / heads),
  scores = scoresAtATime(),
): tf.Tensor3D {
  const factors = { scale, scores }
  const split = (xs: readonly tf.Tensor[]) => xs.map((x) => splitHeads(x, heads))
  return tf.customGrad((...all) => {
    const save = all[3] as tf.GradSaveFunc
    const inputs = all.slice(0, 3) as tf.Tensor[]
    save(inputs)
    const value = tf.tidy(() => joinHeads(forward(split(inputs), factors), heads))
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const gradients = tf.tidy(() => {
        const [dout, ...qkv] = split([dy, ...saved])
        return backward(dout, qkv, factors).map((d) => joinHeads(d, heads))
      })
      tf.dispose([dy, ...saved])
      return gradients
    }
    return { value, gradFunc }
  })(q, k, v) as tf.Tensor3D
}
