import * as tf from '@tensorflow/tfjs-core'

/*
 * Tables of noise levels, float32 like the originals' (torch computes them so): rounding them otherwise would move the
 * sampled images by more than the networks' own rounding does.
 */

/** torch.linspace in float32: steps from both ends, each value a fused multiply-add with one rounding. */
export function linspace32(start: number, end: number, count: number): Float32Array<ArrayBuffer> {
  const [first, last] = [Math.fround(start), Math.fround(end)]
  const step = Math.fround(Math.fround(last - first) / (count - 1))
  return Float32Array.from({ length: count }, (_, i) =>
    i < count >> 1 ? first + step * i : last - step * (count - 1 - i),
  )
}

/** β of Stable and Versatile Diffusion: linear in √β ("scaled_linear"); there 0.00085 … 0.012 in 1000 timesteps. */
export const scaledLinearBetas = (start: number, end: number, timesteps: number): Float32Array<ArrayBuffer> =>
  linspace32(Math.sqrt(start), Math.sqrt(end), timesteps).map((root) => root * root)

/** β of a cosine schedule (Nichol and Dhariwal 2021; diffusers' "squaredcos_cap_v2"): ᾱ falls as cos², no β above 0.999. */
export function cosineBetas(timesteps: number): Float32Array<ArrayBuffer> {
  const share = (t: number) => Math.cos(((t / timesteps + 0.008) / 1.008) * (Math.PI / 2)) ** 2
  return Float32Array.from({ length: timesteps }, (_, i) => Math.min(1 - share(i + 1) / share(i), 0.999))
}

/**
 * What a denoiser's output is, in diffusers' words: the noise ε; or v = α ε − σ x₀ (Salimans and Ho 2022), which also says something where
 * hardly any signal is left.
 */
export type Prediction = 'epsilon' | 'v_prediction'

/** Noise levels of a variance-preserving process x_t = α_t x₀ + σ_t ε, by timestep; all (timesteps). */
export class NoiseTable {
  readonly timesteps: number
  /** ᾱ = Π(1 − β), the signal's share of the variance. */
  readonly alphasCumprod: Float32Array
  /** α = √ᾱ. */
  readonly alphas: Float32Array
  /** σ = √(1 − ᾱ). */
  readonly sigmas: Float32Array
  /** λ = ln α − ln σ, half the log signal-to-noise ratio. */
  readonly lambdas: Float32Array

  constructor(betas: Float32Array) {
    this.timesteps = betas.length
    let product = 1 // torch multiplies up in float64
    this.alphasCumprod = betas.map((beta) => (product *= Math.fround(1 - beta)))
    this.alphas = this.alphasCumprod.map(Math.sqrt)
    this.sigmas = this.alphasCumprod.map((share) => Math.sqrt(Math.fround(1 - share)))
    this.lambdas = this.alphas.map((alpha, t) => Math.fround(Math.log(alpha)) - Math.fround(Math.log(this.sigmas[t])))
  }

  /** x₀ noised to timestep t with ε ~ N(0, 1) of its shape. */
  addNoise(x0: tf.Tensor, noise: tf.Tensor, t: number): tf.Tensor {
    return tf.tidy(() => tf.add(tf.mul(x0, this.alphas[t]), tf.mul(noise, this.sigmas[t])))
  }

  /** x₀ as a denoiser's output for x at timestep t says. */
  clean(x: tf.Tensor, output: tf.Tensor, t: number, prediction: Prediction): tf.Tensor {
    const [alpha, sigma] = [this.alphas[t], this.sigmas[t]]
    return tf.tidy(() =>
      prediction === 'epsilon'
        ? tf.div(tf.sub(x, tf.mul(output, sigma)), alpha)
        : tf.sub(tf.mul(x, alpha), tf.mul(output, sigma)),
    )
  }

  /** Fails where `steps` is no number of steps that this table has timesteps for. */
  checkSteps(steps: number): void {
    if (!Number.isInteger(steps) || steps < 1 || steps > this.timesteps)
      throw new RangeError(`expected 1 to ${this.timesteps} sampling steps, found ${steps}`)
  }
}

/** What a sampling loop needs: `for (const t of timesteps) x = step(network(x, t), t, x)`, timesteps visited in order. */
export interface Scheduler {
  readonly timesteps: readonly number[]
  /** Sets the timesteps and forgets earlier steps. */
  setTimesteps(steps: number): void
  /** The next x from the network's output (predicted noise, unless the scheduler was told otherwise) at timestep t, all of one shape. The caller owns the result. */
  step(output: tf.Tensor, t: number, x: tf.Tensor): tf.Tensor
  /** Forgets earlier steps and frees what was kept of them. */
  reset(): void
}
