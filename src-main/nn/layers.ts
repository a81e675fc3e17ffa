import * as tf from '@tensorflow/tfjs-core'
import type { Parameter, Parameters } from './parameters.ts'
import type { Random } from './random.ts'
import { computesOnGpu } from './raw.ts'

/*
 * Layers put only activations on TensorFlow.js' tape: each is one custom gradient over its input, whose backward pass
 * reads the parameters, hands their gradients to `Parameter.accumulate` and returns the input's gradient. The input's
 * gradient is computed before any parameter moves.
 */

/**
 * A custom gradient over x, or over the anchor where there is one. A backward pass disposes what it has used up (the
 * gradient it was given, saved arrays): otherwise TensorFlow.js keeps all of it until the end of the whole pass.
 */
function onTape(
  x: tf.Tensor,
  anchor: tf.Scalar | undefined,
  layer: (save: tf.GradSaveFunc) => { value: tf.Tensor; backward: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor },
): tf.Tensor {
  return tf.customGrad((...inputs) => {
    const { value, backward } = layer(inputs[1] as tf.GradSaveFunc)
    return { value, gradFunc: backward }
  })(anchor ?? x)
}

/** Elements that a chain of elementwise ops takes at once on a CPU: its arrays then stay in the cache. */
const BLOCK_ELEMENTS = 1 << 18

/** Applies a function to blocks of rows of (R, D) arrays and joins its results along the rows. */
function byRows(arrays: readonly tf.Tensor[], f: (...blocks: tf.Tensor2D[]) => tf.Tensor[]): tf.Tensor[] {
  const [rows, width] = arrays[0].shape
  const step = computesOnGpu() ? rows : Math.max(1, Math.floor(BLOCK_ELEMENTS / width))
  if (rows <= step) return f(...(arrays as tf.Tensor2D[]))
  const results: tf.Tensor[][] = []
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row)
    results.push(tf.tidy(() => f(...arrays.map((array) => tf.slice(array, [row, 0], [count, -1]) as tf.Tensor2D))))
  }
  return results[0].map((_, i) => {
    const parts = results.map((result) => result[i])
    const whole = tf.concat(parts, 0)
    tf.dispose(parts)
    return whole
  })
}

const flatten = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [-1, x.shape[x.shape.length - 1]])

const SHORT_BATCH = 64
const BIG_WEIGHT = 1 << 20

/** Sum over the rows of (R, N) → (1, N), as a product with ones: one pass at the speed of BLAS. */
const columnSums = (x: tf.Tensor2D): tf.Tensor2D => tf.matMul(tf.ones([1, x.shape[0]]), x)

/** x (R, K) · wᵀ, w (N, K) → (R, N). For few rows and a big w, (w xᵀ)ᵀ is four times faster: w is read along its rows. */
function timesTransposed(x: tf.Tensor2D, w: tf.Tensor2D): tf.Tensor2D {
  if (x.shape[0] > SHORT_BATCH || w.size < BIG_WEIGHT || computesOnGpu()) return tf.matMul(x, w, false, true)
  return tf.transpose(tf.matMul(w, x, false, true))
}

/** y = x Wᵀ + b over the last axis (torch.nn.Linear): x (…, in) → (…, out), weight (out, in). */
export class Linear {
  private readonly weight: Parameter
  private readonly bias: Parameter | undefined
  private readonly inputs: number
  private readonly outputs: number

  constructor(parameters: Parameters, name: string, inputs: number, outputs: number, options: { bias?: boolean } = {}) {
    const bound = { uniform: 1 / Math.sqrt(inputs) } // torch's default
    this.inputs = inputs
    this.outputs = outputs
    this.weight = parameters.add(`${name}.weight`, [outputs, inputs], bound, true)
    if (options.bias ?? true) this.bias = parameters.add(`${name}.bias`, [outputs], bound)
  }

  /**
   * With an `anchor` (a scalar that the loss is differentiated by) the layer is the first of its network: x is data and
   * gets no gradient, and the anchor keeps the layer on the tape.
   */
  forward(x: tf.Tensor, anchor?: tf.Scalar): tf.Tensor {
    return onTape(x, anchor, (save) => {
      save([x])
      return {
        value: this.compute(x),
        backward: (dy, [input]) => {
          const dx = this.backward(dy, input, !anchor)
          dy.dispose()
          return dx
        },
      }
    })
  }

  /** Scaling the smaller of the two factors by the weight's scale costs least. */
  private scalesInput(rows: number): boolean {
    return rows <= this.outputs
  }

  /** The forward pass off the tape. */
  compute(x: tf.Tensor): tf.Tensor {
    const { scale, rows } = this.weight
    const flat = flatten(x)
    const scaleInput = this.scalesInput(flat.shape[0])
    const input: tf.Tensor2D = scaleInput && scale !== 1 ? tf.mul(flat, scale) : flat
    const parts = rows.map((_, i) => {
      const w = this.weight.piece(i) as tf.Tensor2D
      return timesTransposed(input, scaleInput || scale === 1 ? w : tf.mul(w, scale))
    })
    const y = parts.length === 1 ? parts[0] : tf.concat(parts, 1)
    return tf.reshape(this.bias ? tf.add(y, this.bias.value()) : y, [...x.shape.slice(0, -1), this.outputs])
  }

  /** The input's gradient (0 where none is asked for), with the parameters' handed over on the way. */
  backward(dyAny: tf.Tensor, xAny: tf.Tensor, inputGradient: boolean): tf.Tensor {
    return tf.tidy(() => {
      const [dy, x] = [flatten(dyAny), flatten(xAny)]
      const { scale, rows } = this.weight
      const scaleInput = this.scalesInput(x.shape[0])
      let dx: tf.Tensor | undefined
      for (const [i, { start, stop }] of rows.entries()) {
        const dyPart = rows.length === 1 ? dy : tf.slice(dy, [0, start], [-1, stop - start])
        if (inputGradient) {
          const part = tf.tidy(() => {
            const w = this.weight.piece(i)
            const product = tf.matMul(dyPart, scaleInput || scale === 1 ? w : tf.mul(w, scale))
            return dx ? tf.add(dx, product) : product
          })
          dx?.dispose()
          dx = part
        }
        this.weight.accumulate(tf.keep(tf.matMul(dyPart, x, true, false)), i)
        if (rows.length > 1) dyPart.dispose()
      }
      this.bias?.accumulate(tf.keep(tf.reshape(columnSums(dy), [-1])))
      if (!inputGradient) return tf.scalar(0)
      const scaled = scaleInput && scale !== 1 ? tf.mul(dx!, scale) : dx!
      return tf.reshape(scaled, [...xAny.shape.slice(0, -1), this.inputs])
    })
  }
}

/** An activation with its derivative. */
interface Activation {
  of(z: tf.Tensor): tf.Tensor
  /** dL/dz from dL/da. */
  backward(da: tf.Tensor, z: tf.Tensor): tf.Tensor
}

/** Φ(z), the normal distribution function. */
const normalCdf = (z: tf.Tensor) => tf.mul(tf.add(tf.erf(tf.mul(z, Math.SQRT1_2)), 1), 0.5)

const activations = {
  /** z Φ(z), the exact form. */
  gelu: {
    of: (z) => tf.mul(z, normalCdf(z)),
    backward: (da, z) => {
      const density = tf.mul(tf.exp(tf.mul(tf.square(z), -0.5)), 1 / Math.sqrt(2 * Math.PI))
      return tf.mul(da, tf.add(normalCdf(z), tf.mul(z, density)))
    },
  },
} satisfies Record<string, Activation>

/** LayerNorm over the last axis (torch.nn.LayerNorm, biased variance) followed by an activation: (…, D) → (…, D). */
export class LayerNorm {
  private readonly weight: Parameter
  private readonly bias: Parameter
  private readonly width: number
  private readonly activation: Activation
  private readonly eps: number

  constructor(parameters: Parameters, name: string, width: number, activation: keyof typeof activations, eps = 1e-5) {
    this.weight = parameters.add(`${name}.weight`, [width], { constant: 1 })
    this.bias = parameters.add(`${name}.bias`, [width], { constant: 0 })
    this.width = width
    this.activation = activations[activation]
    this.eps = eps
  }

  forward(x: tf.Tensor): tf.Tensor {
    return onTape(x, undefined, (save) => {
      const { value, mean, rstd } = this.compute(x)
      save([x, mean, rstd])
      return { value, backward: (dy, saved) => this.backward(dy, saved) }
    })
  }

  /** The output with what the backward pass needs beside x (…, D): mean and 1 / SD of each row, (R, 1). */
  compute(x: tf.Tensor): { value: tf.Tensor; mean: tf.Tensor; rstd: tf.Tensor } {
    const [gain, bias] = [this.weight.value(), this.bias.value()]
    const average = tf.fill([this.width, 1], 1 / this.width) as tf.Tensor2D
    const [value, mean, rstd] = byRows([flatten(x)], (rows) => {
      const mean = tf.matMul(rows, average)
      const centred = tf.sub(rows, mean)
      const rstd = tf.rsqrt(tf.add(tf.matMul(tf.square(centred) as tf.Tensor2D, average), this.eps))
      return [this.activation.of(tf.add(tf.mul(tf.mul(centred, rstd), gain), bias)), mean, rstd]
    })
    return { value: tf.reshape(value, x.shape), mean, rstd }
  }

  /** dL/dx from dL/dy and [x, mean, rstd]; all but rstd are used up. */
  backward(dy: tf.Tensor, [x, mean, rstd]: tf.Tensor[]): tf.Tensor {
    const { shape } = x
    return tf.tidy(() => {
      const [gain, bias] = [this.weight.value(), this.bias.value()]
      const averageGain = tf.reshape(tf.div(gain, this.width), [this.width, 1]) as tf.Tensor2D
      const [dx, dGain, dBias] = byRows([flatten(x), flatten(dy), mean, rstd], (rows, da, rowMean, rowRstd) => {
        const normal = tf.mul(tf.sub(rows, rowMean), rowRstd)
        const dz = this.activation.backward(da, tf.add(tf.mul(normal, gain), bias)) as tf.Tensor2D
        const dzNormal = tf.mul(dz, normal) as tf.Tensor2D
        // dn = dz·gain; dx = rstd (dn − mean(dn) − n mean(dn n)), the means as products with gain / D
        const about = tf.add(tf.matMul(dz, averageGain), tf.mul(normal, tf.matMul(dzNormal, averageGain)))
        const dx = tf.mul(rowRstd, tf.sub(tf.mul(dz, gain), about))
        return [dx, columnSums(dzNormal), columnSums(dz)]
      })
      x.dispose()
      dy.dispose()
      this.weight.accumulate(tf.keep(tf.sum(dGain, 0)))
      this.bias.accumulate(tf.keep(tf.sum(dBias, 0)))
      return tf.reshape(dx, shape)
    })
  }
}

/** A linear layer, LayerNorm and activation as one entry of the tape: the linear layer's gradient never outlives it. */
export class NormedLinear {
  private readonly linear: Linear
  private readonly norm: LayerNorm

  constructor(linear: Linear, norm: LayerNorm) {
    this.linear = linear
    this.norm = norm
  }

  /** (…, in) → (…, out); `anchor` as in `Linear.forward`. */
  forward(x: tf.Tensor, anchor?: tf.Scalar): tf.Tensor {
    return onTape(x, anchor, (save) => {
      const y = this.linear.compute(x)
      const { value, mean, rstd } = this.norm.compute(y)
      save([x, y, mean, rstd])
      return {
        value,
        backward: (da, [input, ...normed]) =>
          tf.tidy(() => this.linear.backward(this.norm.backward(da, normed), input, !anchor)),
      }
    })
  }
}

/**
 * Inverted dropout: zeroes each element with probability p, divides the rest by 1 − p. The mask is drawn in JavaScript
 * from the given stream, so that a resumed step on any backend draws the same.
 */
export function dropout(x: tf.Tensor, p: number, random: Random | undefined): tf.Tensor {
  if (!random || p === 0) return x
  const mask = Float32Array.from({ length: x.size }, () => (random.uniform() < p ? 0 : 1 / (1 - p)))
  return tf.tidy(() => tf.mul(x, tf.tensor(mask, x.shape)))
}
