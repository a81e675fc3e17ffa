import * as tf from '@tensorflow/tfjs-core'
import type { NoiseTable, Prediction, Scheduler } from './tables.ts'

export interface UniPCOptions {
  /** What the network's output is. */
  prediction?: Prediction
  /** Order of the predictor and the corrector; the first and the last steps use 1. */
  solverOrder?: 1 | 2
  /**
   * Where the last step ends. `sigma_min`: at timestep 0, whose σ is not quite 0, as MindEye's diffusers 0.13 does.
   * `zero`: at σ = 0, the default of diffusers since 0.28.
   */
  finalSigmas?: 'sigma_min' | 'zero'
}

/** α, σ and λ of one timestep. */
interface Level {
  alpha: number
  sigma: number
  lambda: number
}

/** numpy's round: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

/**
 * UniPC (Zhao et al. 2023, arXiv 2302.04867) in the form that MindEye samples with:
 * diffusers 0.13's UniPCMultistepScheduler with solver "bh2", predict_x0 and lower_order_final.
 * Sampling may start at any of the timesteps (image-to-image); its first step then has order 1 and no corrector.
 */
export class UniPC implements Scheduler {
  timesteps: readonly number[] = []
  private readonly table: NoiseTable
  private readonly order: number
  private readonly prediction: Prediction
  private readonly finalSigmas: 'sigma_min' | 'zero'
  /** Earlier predictions of x₀ with the levels they were made at, latest first; at most `order` of them. */
  private history: { x0: tf.Tensor; level: Level }[] = []
  /** x before the last prediction, and the order that this prediction had. */
  private last: { x: tf.Tensor; order: number } | undefined
  private stepsDone = 0

  constructor(
    table: NoiseTable,
    { prediction = 'epsilon', solverOrder = 2, finalSigmas = 'sigma_min' }: UniPCOptions = {},
  ) {
    this.table = table
    this.order = solverOrder
    this.prediction = prediction
    this.finalSigmas = finalSigmas
  }

  setTimesteps(steps: number): void {
    this.table.checkSteps(steps)
    const stride = (this.table.timesteps - 1) / steps
    const rounded = Array.from({ length: steps }, (_, i) => roundHalfEven(stride * (steps - i)))
    this.timesteps = [...new Set(rounded)] // near 1000 steps, neighbours round to the same timestep
    this.reset()
  }

  step(output: tf.Tensor, t: number, x: tf.Tensor): tf.Tensor {
    const index = this.timesteps.indexOf(t)
    if (index < 0) throw new RangeError(`timestep ${t} is none of those set: ${this.timesteps.join(', ')}`)
    const level = this.levelAt(t)
    const left = this.timesteps.length - index
    const next = left > 1 ? this.levelAt(this.timesteps[index + 1]) : this.finalLevel()

    return tf.tidy(() => {
      const x0 = this.table.clean(x, output, t, this.prediction) // of the uncorrected x, never recomputed
      const corrected = this.last ? this.correct(this.last, x0, level) : tf.clone(x)
      const order = Math.min(this.order, left, this.stepsDone + 1)
      this.remember(x0, level, corrected, order)
      return this.predict(corrected, order, next)
    })
  }

  reset(): void {
    for (const { x0 } of this.history) x0.dispose()
    this.last?.x.dispose()
    this.history = []
    this.last = undefined
    this.stepsDone = 0
  }

  private levelAt(t: number): Level {
    const { alphas, sigmas, lambdas } = this.table
    return { alpha: alphas[t], sigma: sigmas[t], lambda: lambdas[t] }
  }

  private finalLevel(): Level {
    return this.finalSigmas === 'zero' ? { alpha: 1, sigma: 0, lambda: Infinity } : this.levelAt(0)
  }

  /** UniC: the last prediction again, now that the network has been asked at its end (level, with result x0). */
  private correct(last: { x: tf.Tensor; order: number }, x0: tf.Tensor, level: Level): tf.Tensor {
    const [{ x0: x0Before, level: from }, earlier] = this.history
    const h = level.lambda - from.lambda
    const E = Math.expm1(-h)
    const base = tf.sub(tf.mul(last.x, level.sigma / from.sigma), tf.mul(x0Before, level.alpha * E))
    const change = tf.sub(x0, x0Before)
    if (last.order === 1) return tf.sub(base, tf.mul(change, level.alpha * E * 0.5))
    // ρ solves [1 1; r 1] ρ = b of the paper's B(h) = e^h − 1 in the data-prediction form.
    const r = (earlier.level.lambda - from.lambda) / h
    const phi = E / -h - 1
    const b1 = phi / E
    const b2 = (2 * (phi / -h - 0.5)) / E
    const rho1 = (b1 - b2) / (1 - r)
    const rho2 = b1 - rho1
    const residual = tf.add(tf.mul(tf.sub(earlier.x0, x0Before), rho1 / r), tf.mul(change, rho2))
    return tf.sub(base, tf.mul(residual, level.alpha * E))
  }

  /** UniP: from x at the latest level to the next one. */
  private predict(x: tf.Tensor, order: number, next: Level): tf.Tensor {
    const [{ x0, level: from }, earlier] = this.history
    const h = next.lambda - from.lambda
    const E = Math.expm1(-h)
    const base = tf.sub(tf.mul(x, next.sigma / from.sigma), tf.mul(x0, next.alpha * E))
    if (order === 1) return base
    const r = (earlier.level.lambda - from.lambda) / h
    return tf.sub(base, tf.mul(tf.sub(earlier.x0, x0), (next.alpha * E * 0.5) / r))
  }

  private remember(x0: tf.Tensor, level: Level, x: tf.Tensor, order: number): void {
    this.history.unshift({ x0: tf.keep(x0), level })
    for (const { x0: old } of this.history.splice(this.order)) old.dispose()
    this.last?.x.dispose()
    this.last = { x: tf.keep(x), order }
    this.stepsDone++
  }
}
