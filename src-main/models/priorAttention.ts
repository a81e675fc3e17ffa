import * as tf from '@tensorflow/tfjs-core'
import { LayerNorm, Linear } from '../nn/layers.ts'
import type { Parameter, Parameters } from '../nn/parameters.ts'
import { computesOnGpu } from '../nn/raw.ts'

export interface PriorAttentionConfig {
  width: number
  heads: number
  headDim: number
}

/** Angles of the rotary embedding as factors of a head: x → x · cos + (x · swap) · sin, the same for every head. */
export interface Rotary {
  /** (n, 1, d); 1 where dims pass through. */
  cos: tf.Tensor
  /** (n, 1, d); 0 where dims pass through. */
  sin: tf.Tensor
  /** (d, d): takes pairs (a, b) to (−b, a). */
  swap: tf.Tensor2D
}

/** The cosine of query and key counts this much in the softmax: √16 from each. */
const SIMILARITY_SCALE = 16

/** Elements of the attention map that are computed at once on a CPU, so that they stay in the cache. */
const BLOCK_ELEMENTS = 1 << 18

/** Rows per head row of unit length, with what the gradient needs. */
interface Unit {
  unit: tf.Tensor2D
  /** 1 / length, (R, 1). */
  inverse: tf.Tensor2D
}

function normaliseRows(x: tf.Tensor2D): Unit {
  const inverse = tf.rsqrt(tf.maximum(tf.sum(tf.square(x), 1, true), 1e-24)) as tf.Tensor2D
  return { unit: tf.mul(x, inverse), inverse }
}

/** dL/dx of x → x / |x|. */
const normaliseBackward = (dUnit: tf.Tensor2D, { unit, inverse }: Unit): tf.Tensor2D =>
  tf.mul(inverse, tf.sub(dUnit, tf.mul(unit, tf.sum(tf.mul(dUnit, unit), 1, true))))

/** Rotates (B, n, h, d) by position. */
function rotate(x: tf.Tensor, { cos, sin, swap }: Rotary): tf.Tensor {
  const d = swap.shape[0]
  const swapped = tf.reshape(tf.matMul(tf.reshape(x, [-1, d]), swap), x.shape)
  return tf.add(tf.mul(x, cos), tf.mul(swapped, sin))
}

function rotateBackward(dy: tf.Tensor, { cos, sin, swap }: Rotary): tf.Tensor {
  const d = swap.shape[0]
  const back = tf.matMul(tf.reshape(tf.mul(dy, sin), [-1, d]) as tf.Tensor2D, swap, false, true)
  return tf.add(tf.mul(dy, cos), tf.reshape(back, dy.shape))
}

/** Everything between the projections and the attended values. Rows of queries are ordered (position, head). */
interface Heads {
  queries: Unit
  /** (B, n + 1, d), null key first. */
  keys: Unit
  values: tf.Tensor3D
}

/**
 * Attention of the diffusion prior: many query heads over one shared key and value head, with a learned null key and value
 * before the sequence, cosine similarity, rotary positions and a relative bias (dalle2-pytorch `Attention`). One tape entry;
 * the attention map is computed block by block and again in the backward pass, so that it never exists as a whole.
 */
export class PriorAttention {
  private readonly config: PriorAttentionConfig
  private readonly norm: LayerNorm
  private readonly nullKeyValue: Parameter
  private readonly toQuery: Linear
  private readonly toKeyValue: Linear
  private readonly toOut: Linear
  private readonly outNorm: LayerNorm

  constructor(parameters: Parameters, name: string, config: PriorAttentionConfig) {
    const { width, heads, headDim } = config
    this.config = config
    this.nullKeyValue = parameters.add(`${name}.null_kv`, [2, headDim], { normal: 1 })
    this.norm = new LayerNorm(parameters, `${name}.norm`, width, 'none', { gainOnly: true })
    this.toQuery = new Linear(parameters, `${name}.to_q`, width, heads * headDim, { bias: false })
    this.toKeyValue = new Linear(parameters, `${name}.to_kv`, width, 2 * headDim, { bias: false })
    this.toOut = new Linear(parameters, `${name}.to_out.0`, heads * headDim, width, { bias: false })
    this.outNorm = new LayerNorm(parameters, `${name}.to_out.1`, width, 'none', { gainOnly: true })
  }

  /** x (B, n, D), bias (n · heads, n + 1) → (B, n, D). */
  forward(x: tf.Tensor3D, bias: tf.Tensor2D, rotary: Rotary): tf.Tensor3D {
    return tf.customGrad((...inputs) => {
      const save = inputs[2] as tf.GradSaveFunc
      const input = this.norm.compute(x)
      const heads = this.project(input.value as tf.Tensor3D, rotary)
      const attended = this.attend(heads, bias)
      const y = this.toOut.compute(attended)
      const output = this.outNorm.compute(y)
      const { queries, keys, values } = heads
      const kept = [queries.unit, queries.inverse, keys.unit, keys.inverse, values]
      const { cos, sin, swap } = rotary
      save([
        x,
        input.mean,
        input.rstd,
        input.value,
        ...kept,
        attended,
        y,
        output.mean,
        output.rstd,
        bias,
        cos,
        sin,
        swap,
      ])
      return { value: output.value, gradFunc: (dy, saved) => this.backward(dy, saved) }
    })(x, bias) as tf.Tensor3D
  }

  /** h (B, n, D), normed, to queries, keys and values of unit length. */
  private project(h: tf.Tensor3D, rotary: Rotary): Heads {
    const { heads, headDim } = this.config
    const [batch, n] = h.shape
    const q = tf.reshape(this.toQuery.compute(h), [batch, n, heads, headDim])
    const queries = normaliseRows(tf.reshape(rotate(q, rotary), [-1, headDim])) // (B·n·heads, d)
    const keyValue = this.toKeyValue.compute(h) // (B, n, 2d)
    const [k, v] = tf.split(keyValue, 2, 2)
    const [nullKey, nullValue] = tf.split(this.nullKeyValue.value(), 2, 0)
    const withNull = (none: tf.Tensor, rest: tf.Tensor) =>
      tf.concat([tf.tile(tf.reshape(none, [1, 1, headDim]), [batch, 1, 1]), rest], 1)
    const rotated = tf.reshape(rotate(tf.reshape(k, [batch, n, 1, headDim]), rotary), [batch, n, headDim])
    const keys = normaliseRows(tf.reshape(withNull(nullKey, rotated), [-1, headDim])) // (B·(n + 1), d)
    return { queries, keys, values: withNull(nullValue, v) as tf.Tensor3D }
  }

  /** Rows of one image's attention map that are computed at once. */
  private blocks(rows: number, columns: number): { start: number; count: number }[] {
    const step = computesOnGpu() ? rows : Math.max(1, Math.floor(BLOCK_ELEMENTS / columns))
    return Array.from({ length: Math.ceil(rows / step) }, (_, i) => ({
      start: i * step,
      count: Math.min(step, rows - i * step),
    }))
  }

  /** Softmax of a block of rows of one image: queries (r, d), keys (n + 1, d), bias (r, n + 1) → (r, n + 1). */
  private weights(queries: tf.Tensor2D, keys: tf.Tensor2D, bias: tf.Tensor2D): tf.Tensor2D {
    const similarity = tf.matMul(tf.mul(queries, SIMILARITY_SCALE), keys, false, true)
    return tf.softmax(tf.add(similarity, bias))
  }

  /** (B, n, heads · d). */
  private attend({ queries, keys, values }: Heads, bias: tf.Tensor2D): tf.Tensor3D {
    const { heads, headDim } = this.config
    const [batch, columns] = values.shape
    const rows = (columns - 1) * heads
    const parts: tf.Tensor[] = []
    for (let b = 0; b < batch; b++) {
      const k = tf.slice(keys.unit, [b * columns, 0], [columns, -1])
      const v = tf.reshape(tf.slice(values, [b, 0, 0], [1, -1, -1]), [columns, headDim]) as tf.Tensor2D
      for (const { start, count } of this.blocks(rows, columns))
        parts.push(
          tf.tidy(() => {
            const q = tf.slice(queries.unit, [b * rows + start, 0], [count, -1])
            return tf.matMul(this.weights(q, k, tf.slice(bias, [start, 0], [count, -1])), v)
          }),
        )
    }
    return tf.reshape(tf.concat(parts, 0), [batch, columns - 1, heads * headDim])
  }

  private backward(dy: tf.Tensor, saved: tf.Tensor[]): [tf.Tensor, tf.Tensor] {
    const [x, mean, rstd, h, q, qInverse, k, kInverse, values, attended, y, outMean, outRstd] = saved
    const [bias, cos, sin, swap] = saved.slice(13) as [tf.Tensor2D, tf.Tensor, tf.Tensor, tf.Tensor2D]
    const rotary = { cos, sin, swap }
    const heads = {
      queries: { unit: q, inverse: qInverse },
      keys: { unit: k, inverse: kInverse },
      values,
    } as Heads
    return tf.tidy(() => {
      const dAttended = this.toOut.backward(this.outNorm.backward(dy, [y, outMean, outRstd]), attended, true)
      const { dQueries, dKeys, dValues, dBias } = this.attendBackward(dAttended, attended, heads, bias)
      const dh = this.projectBackward({ dQueries, dKeys, dValues }, heads, h, rotary)
      const dx = this.norm.backward(dh, [x, mean, rstd])
      tf.dispose(saved)
      return [dx, dBias]
    })
  }

  private attendBackward(dOut: tf.Tensor, out: tf.Tensor, { queries, keys, values }: Heads, bias: tf.Tensor2D) {
    const { heads, headDim } = this.config
    const [batch, columns] = values.shape
    const rows = (columns - 1) * heads
    const dRows = tf.reshape(dOut, [-1, headDim]) as tf.Tensor2D
    // Σ_j dP_ij P_ij = dOut_i · out_i
    const dots = tf.sum(tf.mul(dRows, tf.reshape(out, [-1, headDim])), 1, true)
    const perImage = Array.from({ length: batch }, (_, b) => ({
      k: tf.slice(keys.unit, [b * columns, 0], [columns, -1]) as tf.Tensor2D,
      v: tf.reshape(tf.slice(values, [b, 0, 0], [1, -1, -1]), [columns, headDim]) as tf.Tensor2D,
      dk: tf.zeros([columns, headDim]),
      dv: tf.zeros([columns, headDim]),
      dq: [] as tf.Tensor[],
    }))
    const dBias: tf.Tensor[] = []
    for (const { start, count } of this.blocks(rows, columns)) {
      const biasBlock = tf.slice(bias, [start, 0], [count, -1])
      let biasSum: tf.Tensor | undefined
      for (const [b, image] of perImage.entries()) {
        const [dk, dv, dq, sum]: tf.Tensor[] = tf.tidy(() => {
          const at = b * rows + start
          const q = tf.slice(queries.unit, [at, 0], [count, -1]) as tf.Tensor2D
          const d = tf.slice(dRows, [at, 0], [count, -1])
          const p = this.weights(q, image.k, biasBlock)
          const dp = tf.matMul(d, image.v, false, true)
          const ds = tf.mul(p, tf.sub(dp, tf.slice(dots, [at, 0], [count, 1]))) as tf.Tensor2D
          return [
            tf.add(image.dk, tf.matMul(ds, q, true)),
            tf.add(image.dv, tf.matMul(p, d, true)),
            tf.matMul(ds, image.k),
            biasSum ? tf.add(biasSum, ds) : ds,
          ]
        })
        tf.dispose([image.dk, image.dv, ...(biasSum ? [biasSum] : [])])
        Object.assign(image, { dk, dv })
        image.dq.push(dq)
        biasSum = sum
      }
      dBias.push(biasSum!)
    }
    return {
      dQueries: tf.mul(
        tf.concat(
          perImage.flatMap(({ dq }) => dq),
          0,
        ),
        SIMILARITY_SCALE,
      ) as tf.Tensor2D,
      dKeys: tf.mul(
        tf.concat(
          perImage.map(({ dk }) => dk),
          0,
        ),
        SIMILARITY_SCALE,
      ) as tf.Tensor2D,
      dValues: tf.stack(perImage.map(({ dv }) => dv)) as tf.Tensor3D,
      dBias: tf.concat(dBias, 0),
    }
  }

  /** dL/dh, with the gradients of the projections and of the null key and value handed over. */
  private projectBackward(
    { dQueries, dKeys, dValues }: { dQueries: tf.Tensor2D; dKeys: tf.Tensor2D; dValues: tf.Tensor3D },
    { queries, keys }: Heads,
    h: tf.Tensor,
    rotary: Rotary,
  ): tf.Tensor {
    const { heads, headDim } = this.config
    const [batch, columns] = dValues.shape
    const n = columns - 1
    const dq = tf.reshape(normaliseBackward(dQueries, queries), [batch, n, heads, headDim])
    const fromQueries = this.toQuery.backward(
      tf.reshape(rotateBackward(dq, rotary), [batch, n, heads * headDim]),
      h,
      true,
    )
    const dk = tf.reshape(normaliseBackward(dKeys, keys), [batch, columns, headDim])
    const [dNullKey, dRotated] = tf.split(dk, [1, n], 1)
    const [dNullValue, dv] = tf.split(dValues, [1, n], 1)
    const dKey = tf.reshape(rotateBackward(tf.reshape(dRotated, [batch, n, 1, headDim]), rotary), [batch, n, headDim])
    const fromKeyValue = this.toKeyValue.backward(tf.concat([dKey, dv], 2), h, true)
    this.nullKeyValue.accumulate(tf.keep(tf.concat([tf.sum(dNullKey, 0), tf.sum(dNullValue, 0)], 0)))
    return tf.add(fromQueries, fromKeyValue)
  }
}
