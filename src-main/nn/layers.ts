import * as tf from '@tensorflow/tfjs-core'
import type { Parameter, Parameters } from './parameters.ts'
import type { Random } from './random.ts'
import { computesOnGpu, product } from './raw.ts'
import type { ActivationName } from './activations.ts'
import { activations } from './activations.ts'
import type { Activation } from './activations.ts'
import { byRows, columnSums, flatten, onTape } from './tape.ts'

const SHORT_BATCH = 64
const BIG_WEIGHT = 1 << 20

/** x (R, K) · wᵀ, w (N, K) → (R, N). For few rows and a big w, (w xᵀ)ᵀ is four times faster: w is read along its rows. */
function timesTransposed(x: tf.Tensor2D, w: tf.Tensor2D): tf.Tensor2D {
  if (x.shape[0] > SHORT_BATCH || w.size < BIG_WEIGHT || computesOnGpu()) return product(x, w, false, true)
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
    this.weight = parameters.add(`${name}.weight`, [outputs, inputs], bound, { folded: true })
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
            const w = this.weight.piece(i) as tf.Tensor2D
            const share = product(dyPart, scaleInput || scale === 1 ? w : tf.mul(w, scale))
            return dx ? tf.add(dx, share) : share
          })
          dx?.dispose()
          dx = part
        }
        this.weight.accumulate(tf.keep(product(dyPart, x, true)), i)
        if (rows.length > 1) dyPart.dispose()
      }
      this.bias?.accumulate(tf.keep(tf.reshape(columnSums(dy), [-1])))
      if (!inputGradient) return tf.scalar(0)
      const scaled = scaleInput && scale !== 1 ? tf.mul(dx!, scale) : dx!
      return tf.reshape(scaled, [...xAny.shape.slice(0, -1), this.inputs])
    })
  }
}

export interface LayerNormOptions {
  eps?: number
  /** No bias, and the gain is published as `.g` (the diffusion prior's norm). */
  gainOnly?: boolean
}

/** LayerNorm over the last axis (torch.nn.LayerNorm, biased variance) followed by an activation: (…, D) → (…, D). */
export class LayerNorm {
  private readonly weight: Parameter
  private readonly bias: Parameter | undefined
  private readonly width: number
  private readonly activation: Activation
  private readonly eps: number

  constructor(
    parameters: Parameters,
    name: string,
    width: number,
    activation: ActivationName,
    options: LayerNormOptions = {},
  ) {
    const { eps = 1e-5, gainOnly = false } = options
    this.weight = parameters.add(`${name}.${gainOnly ? 'g' : 'weight'}`, [width], { constant: 1 })
    if (!gainOnly) this.bias = parameters.add(`${name}.bias`, [width], { constant: 0 })
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
    const [gain, bias] = [this.weight.value(), this.bias?.value()]
    const average = tf.fill([this.width, 1], 1 / this.width) as tf.Tensor2D
    const [value, mean, rstd] = byRows([flatten(x)], (rows) => {
      const mean = product(rows, average)
      const centred = tf.sub(rows, mean)
      const rstd = tf.rsqrt(tf.add(product(tf.square(centred) as tf.Tensor2D, average), this.eps))
      const scaled = tf.mul(tf.mul(centred, rstd), gain)
      return [this.activation.of(bias ? tf.add(scaled, bias) : scaled), mean, rstd]
    })
    return { value: tf.reshape(value, x.shape), mean, rstd }
  }

  /** dL/dx from dL/dy and [x, mean, rstd]; all but rstd are used up. */
  backward(dy: tf.Tensor, [x, mean, rstd]: tf.Tensor[]): tf.Tensor {
    const { shape } = x
    return tf.tidy(() => {
      const [gain, bias] = [this.weight.value(), this.bias?.value()]
      const averageGain = tf.reshape(tf.div(gain, this.width), [this.width, 1]) as tf.Tensor2D
      const [dx, dGain, dBias] = byRows([flatten(x), flatten(dy), mean, rstd], (rows, da, rowMean, rowRstd) => {
        const normal = tf.mul(tf.sub(rows, rowMean), rowRstd)
        const scaled = tf.mul(normal, gain)
        const dz = this.activation.backward(da, bias ? tf.add(scaled, bias) : scaled) as tf.Tensor2D
        const dzNormal = tf.mul(dz, normal) as tf.Tensor2D
        // dn = dz·gain; dx = rstd (dn − mean(dn) − n mean(dn n)), the means as products with gain / D
        const about = tf.add(product(dz, averageGain), tf.mul(normal, product(dzNormal, averageGain)))
        const dx = tf.mul(rowRstd, tf.sub(tf.mul(dz, gain), about))
        return bias ? [dx, columnSums(dzNormal), columnSums(dz)] : [dx, columnSums(dzNormal)]
      })
      x.dispose()
      dy.dispose()
      this.weight.accumulate(tf.keep(tf.sum(dGain, 0)))
      this.bias?.accumulate(tf.keep(tf.sum(dBias, 0)))
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

/** An activation (…, D) → (…, D) on the tape. */
export function activate(z: tf.Tensor, name: ActivationName): tf.Tensor {
  const { of, backward }: Activation = activations[name]
  return onTape(z, undefined, (save) => {
    save([z])
    const [value] = byRows([flatten(z)], (rows) => [of(rows)])
    return {
      value: tf.reshape(value, z.shape),
      backward: (da, [input]) => {
        const [dz] = tf.tidy(() => byRows([flatten(da), flatten(input)], (rows, inputs) => [backward(rows, inputs)]))
        tf.dispose([da, input])
        return tf.reshape(dz, z.shape)
      },
    }
  })
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
