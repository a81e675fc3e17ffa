import * as tf from '@tensorflow/tfjs-core'
import type { NoiseTable, Scheduler } from './tables.ts'

/** How the timesteps of DDIM and PNDM lie and end; the defaults are Stable and Versatile Diffusion's. */
export interface SpacingOptions {
  /** Added to every timestep. */
  stepsOffset?: number
  /** Whether the last step ends at ᾱ = 1 rather than at ᾱ of timestep 0. */
  setAlphaToOne?: boolean
}

/** Timesteps in whole multiples of timesteps / steps, from the highest down to the offset. */
export const evenTimesteps = (table: NoiseTable, steps: number, offset: number): number[] =>
  Array.from({ length: steps }, (_, i) => (steps - 1 - i) * Math.floor(table.timesteps / steps) + offset)

/** ᾱ at a timestep; past the last one the final ᾱ. */
export const alphaAt = (table: NoiseTable, t: number, setAlphaToOne: boolean): number =>
  t >= 0 ? table.alphasCumprod[t] : setAlphaToOne ? 1 : table.alphasCumprod[0]

/** Deterministic DDIM (Song et al. 2021, arXiv 2010.02502, η = 0) for networks that predict noise. */
export class DDIM implements Scheduler {
  timesteps: readonly number[] = []
  private readonly table: NoiseTable
  private readonly stepsOffset: number
  private readonly setAlphaToOne: boolean
  private stride = 0

  constructor(table: NoiseTable, { stepsOffset = 1, setAlphaToOne = false }: SpacingOptions = {}) {
    this.table = table
    this.stepsOffset = stepsOffset
    this.setAlphaToOne = setAlphaToOne
  }

  setTimesteps(steps: number): void {
    this.table.checkSteps(steps)
    this.stride = Math.floor(this.table.timesteps / steps)
    this.timesteps = evenTimesteps(this.table, steps, this.stepsOffset)
  }

  step(noise: tf.Tensor, t: number, x: tf.Tensor): tf.Tensor {
    const a = this.table.alphasCumprod[t]
    const aNext = alphaAt(this.table, t - this.stride, this.setAlphaToOne)
    return tf.tidy(() => {
      const x0 = tf.div(tf.sub(x, tf.mul(noise, Math.sqrt(1 - a))), Math.sqrt(a))
      return tf.add(tf.mul(x0, Math.sqrt(aNext)), tf.mul(noise, Math.sqrt(1 - aNext)))
    })
  }

  /** Each step stands alone: nothing is kept. */
  reset(): void {}
}
