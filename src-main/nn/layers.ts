import * as tf from '@tensorflow/tfjs-core'
import type { Parameter, Parameters } from './parameters.ts'
import type { Random } from './random.ts'

/*
 * Layers put only activations on TensorFlow.js' tape: each is one custom gradient over its input, whose backward pass
 * reads the parameters, hands their gradients to `Parameter.accumulate` and returns the input's gradient. The input's
 * gradient is computed before any parameter moves.
 */

const flatten = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [-1, x.shape[x.shape.length - 1]])

/** Sum over the rows of (R, N), as a product with ones: one pass at the speed of BLAS. */
const columnSums = (x: tf.Tensor2D): tf.Tensor1D => tf.reshape(tf.matMul(tf.ones([1, x.shape[0]]), x), [-1])

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
    const backward = (inputGradient: boolean) => (dy: tf.Tensor, saved: tf.Tensor[]) =>
      this.backward(dy, saved[0], inputGradient)
    const layer = (save: unknown, inputGradient: boolean) => {
      ;(save as tf.GradSaveFunc)([x])
      return { value: this.compute(x), gradFunc: backward(inputGradient) }
    }
    if (anchor) return tf.customGrad((...[, save]) => layer(save, false))(anchor)
    return tf.customGrad((...[, save]) => layer(save, true))(x)
  }

  /** Scaling the smaller of the two factors by the weight's scale costs least. */
  private scalesInput(rows: number): boolean {
    return rows <= this.outputs
  }

  private compute(x: tf.Tensor): tf.Tensor {
    const { scale, rows } = this.weight
    const flat = flatten(x)
    const scaleInput = this.scalesInput(flat.shape[0])
    const input = scaleInput && scale !== 1 ? tf.mul(flat, scale) : flat
    const parts = rows.map((_, i) => {
      const w = this.weight.piece(i)
      return tf.matMul(input, scaleInput || scale === 1 ? w : tf.mul(w, scale), false, true)
    })
    const y = parts.length === 1 ? parts[0] : tf.concat(parts, 1)
    return tf.reshape(this.bias ? tf.add(y, this.bias.value()) : y, [...x.shape.slice(0, -1), this.outputs])
  }

  /** The input's gradient, or the anchor's (0), with the parameters' handed over on the way. */
  private backward(dyAny: tf.Tensor, xAny: tf.Tensor, inputGradient: boolean): tf.Tensor {
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
      this.bias?.accumulate(tf.keep(columnSums(dy)))
      if (!inputGradient) return tf.scalar(0)
      const scaled = scaleInput && scale !== 1 ? tf.mul(dx!, scale) : dx!
      return tf.reshape(scaled, [...xAny.shape.slice(0, -1), this.inputs])
    })
  }
}

/** Activations with their derivative; `of` returns what the derivative reuses. */
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
    return tf.customGrad((...[input, save]) => {
      const flat = flatten(input as tf.Tensor)
      const average = tf.fill([this.width, 1], 1 / this.width)
      const centred = tf.sub(flat, tf.matMul(flat, average))
      const rstd = tf.rsqrt(tf.add(tf.matMul(tf.square(centred), average), this.eps)) // (R, 1)
      const normal = tf.mul(centred, rstd)
      const z = tf.add(tf.mul(normal, this.weight.value()), this.bias.value())
      ;(save as tf.GradSaveFunc)([normal, rstd])
      return {
        value: tf.reshape(this.activation.of(z), x.shape),
        gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) =>
          tf.tidy(() => tf.reshape(this.backward(flatten(dy), saved[0], saved[1]), x.shape)),
      }
    })(x)
  }

  /** dy (R, D), normal (R, D), rstd (R, 1) → dx (R, D). */
  private backward(dy: tf.Tensor2D, normal: tf.Tensor, rstd: tf.Tensor): tf.Tensor {
    const gain = this.weight.value()
    const z = tf.add(tf.mul(normal, gain), this.bias.value())
    const dz = this.activation.backward(dy, z) as tf.Tensor2D
    const dzNormal = tf.mul(dz, normal) as tf.Tensor2D
    // dn = dz·gain; dx = rstd (dn − mean(dn) − n mean(dn n)), the means as products with gain / D
    const averageGain = tf.reshape(tf.div(gain, this.width), [this.width, 1]) as tf.Tensor2D
    const meanDn = tf.matMul(dz, averageGain)
    const meanDnNormal = tf.matMul(dzNormal, averageGain)
    const dx = tf.mul(rstd, tf.sub(tf.sub(tf.mul(dz, gain), meanDn), tf.mul(normal, meanDnNormal)))
    this.weight.accumulate(tf.keep(columnSums(dzNormal)))
    this.bias.accumulate(tf.keep(columnSums(dz)))
    return dx
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
