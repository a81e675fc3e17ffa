import * as tf from '@tensorflow/tfjs-core'
import { alphaAt, evenTimesteps, type SpacingOptions } from './ddim.ts'
import type { NoiseTable, Scheduler } from './tables.ts'

/** Adams–Bashforth weights of the latest predictions, latest first. */
const ADAMS_BASHFORTH = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]]

/**
 * PNDM (Liu et al. 2022, arXiv 2202.09778) without Runge–Kutta warm-up ("PLMS", skip_prk_steps), as Stable and Versatile
 * Diffusion ship it. The second timestep comes twice: the first step is repeated with the mean of the noise at its two ends.
 */
export class PNDM implements Scheduler {
  timesteps: readonly number[] = []
  private readonly table: NoiseTable
  private readonly stepsOffset: number
  private readonly setAlphaToOne: boolean
  private stride = 0
  private stepsDone = 0
  /** Predicted noise of earlier steps, latest first; at most 4. */
  private history: tf.Tensor[] = []
  /** x before the first step, until that is repeated. */
  private first: tf.Tensor | undefined

  constructor(table: NoiseTable, { stepsOffset = 1, setAlphaToOne = false }: SpacingOptions = {}) {
    this.table = table
    this.stepsOffset = stepsOffset
    this.setAlphaToOne = setAlphaToOne
  }

  setTimesteps(steps: number): void {
    this.table.checkSteps(steps)
    this.stride = Math.floor(this.table.timesteps / steps)
    const times = evenTimesteps(this.table, steps, this.stepsOffset)
    this.timesteps = [times[0], ...times.slice(1, 2), ...times.slice(1)]
    this.reset()
  }

  step(noise: tf.Tensor, t: number, x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const done = this.stepsDone++
      if (done === 1 && this.first) {
        const again = this.transfer(this.first, tf.mul(tf.add(noise, this.history[0]), 0.5), t + this.stride, t)
        this.first.dispose()
        this.first = undefined
        return again
      }
      if (done === 0) this.first = tf.keep(tf.clone(x))
      this.history.unshift(tf.keep(tf.clone(noise)))
      for (const old of this.history.splice(4)) old.dispose()
      const weights = ADAMS_BASHFORTH[this.history.length - 1]
      const blend = tf.addN(this.history.map((earlier, i) => tf.mul(earlier, weights[i])))
      return this.transfer(x, blend, t, t - this.stride)
    })
  }

  reset(): void {
    tf.dispose(this.history)
    this.first?.dispose()
    this.history = []
    this.first = undefined
    this.stepsDone = 0
  }

  /** Equation 9 of the paper. */
  private transfer(x: tf.Tensor, noise: tf.Tensor, t: number, tNext: number): tf.Tensor {
    const a = this.table.alphasCumprod[t]
    const aNext = alphaAt(this.table, tNext, this.setAlphaToOne)
    const denominator = a * Math.sqrt(1 - aNext) + Math.sqrt(a * (1 - a) * aNext)
    return tf.sub(tf.mul(x, Math.sqrt(aNext / a)), tf.mul(noise, (aNext - a) / denominator))
  }
}
