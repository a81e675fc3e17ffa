import * as tf from '@tensorflow/tfjs-core'
import { linspace32 } from './tables.ts'

/*
 * The noise schedule of MindEye's diffusion prior and one step of its two samplers (DALLE2-pytorch 1.14.2,
 * `NoiseScheduler` and `DiffusionPrior`). The network predicts x₀ directly; nothing is clamped.
 */

const BUFFERS = [
  'betas',
  'alphas_cumprod',
  'alphas_cumprod_prev',
  'sqrt_alphas_cumprod',
  'sqrt_one_minus_alphas_cumprod',
  'log_one_minus_alphas_cumprod',
  'sqrt_recip_alphas_cumprod',
  'sqrt_recipm1_alphas_cumprod',
  'posterior_variance',
  'posterior_log_variance_clipped',
  'posterior_mean_coef1',
  'posterior_mean_coef2',
  'p2_loss_weight',
] as const

/** The buffers (timesteps) by the names they have under `noise_scheduler.` in a checkpoint. */
export type PriorSchedule = Record<(typeof BUFFERS)[number], Float32Array<ArrayBuffer>>

/** The cosine schedule (Nichol and Dhariwal 2021, s = 0.008), computed in float64 and stored as float32. */
export function cosineSchedule(timesteps: number): PriorSchedule {
  const schedule = Object.fromEntries(
    BUFFERS.map((name) => [name, new Float32Array(timesteps)]),
  ) as unknown as PriorSchedule
  const f = (i: number) => Math.cos(((i / timesteps + 0.008) / 1.008) * Math.PI * 0.5) ** 2
  let previous = 1
  for (let i = 0; i < timesteps; i++) {
    const beta = Math.min(Math.max(1 - f(i + 1) / f(i), 0), 0.999)
    const alpha = 1 - beta
    const cumulative = previous * alpha
    const variance = (beta * (1 - previous)) / (1 - cumulative)
    const row: Record<keyof PriorSchedule, number> = {
      betas: beta,
      alphas_cumprod: cumulative,
      alphas_cumprod_prev: previous,
      sqrt_alphas_cumprod: Math.sqrt(cumulative),
      sqrt_one_minus_alphas_cumprod: Math.sqrt(1 - cumulative),
      log_one_minus_alphas_cumprod: Math.log(1 - cumulative),
      sqrt_recip_alphas_cumprod: Math.sqrt(1 / cumulative),
      sqrt_recipm1_alphas_cumprod: Math.sqrt(1 / cumulative - 1),
      posterior_variance: variance,
      posterior_log_variance_clipped: Math.log(Math.max(variance, 1e-20)),
      posterior_mean_coef1: (beta * Math.sqrt(previous)) / (1 - cumulative),
      posterior_mean_coef2: ((1 - previous) * Math.sqrt(alpha)) / (1 - cumulative),
      p2_loss_weight: 1,
    }
    for (const name of BUFFERS) schedule[name][i] = row[name]
    previous = cumulative
  }
  return schedule
}

/** The times that the DDPM sampler visits: timesteps − 1 … 0. */
export const ddpmTimes = (timesteps: number): number[] => Array.from({ length: timesteps }, (_, i) => timesteps - 1 - i)

/** The times that `steps` steps of the DDIM sampler go through, consecutive pairs (t, t'); the last is −1. */
export const ddimTimes = (steps: number, timesteps: number): number[] =>
  Array.from(linspace32(-1, timesteps, steps + 1).subarray(0, steps), Math.trunc).reverse()

/**
 * From x_i to x_{i−1} given the predicted x₀: posterior mean + exp(½ log variance)·z, all of one shape.
 * z ~ N(0, 1) is to be drawn at every step, but counts for nothing at i = 0.
 */
export function ddpmUpdate(schedule: PriorSchedule, i: number, x: tf.Tensor, x0: tf.Tensor, z: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const mean = tf.add(tf.mul(x0, schedule.posterior_mean_coef1[i]), tf.mul(x, schedule.posterior_mean_coef2[i]))
    if (i === 0) return mean
    return tf.add(mean, tf.mul(z, Math.exp(0.5 * schedule.posterior_log_variance_clipped[i])))
  })
}

/**
 * From x_t to x_t' given the predicted x₀ (Song et al. 2021), all of one shape. As the original does, ᾱ_prev stands where
 * ᾱ is meant, except in the predicted noise. t' < 0 gives x₀. z is needed, and to be drawn, only where t' > 0.
 */
export function ddimUpdate(
  schedule: PriorSchedule,
  t: number,
  tNext: number,
  x: tf.Tensor,
  x0: tf.Tensor,
  z: tf.Tensor | undefined,
  eta: number,
): tf.Tensor {
  if (tNext < 0) return tf.clone(x0)
  return tf.tidy(() => {
    const a = schedule.alphas_cumprod_prev[t]
    const aNext = schedule.alphas_cumprod_prev[tNext]
    const noise = tf.div(
      tf.sub(tf.mul(x, schedule.sqrt_recip_alphas_cumprod[t]), x0),
      schedule.sqrt_recipm1_alphas_cumprod[t],
    )
    const k1 = eta * Math.sqrt(((1 - a / aNext) * (1 - aNext)) / (1 - a))
    const k2 = Math.sqrt(1 - aNext - k1 * k1)
    const next = tf.add(tf.mul(x0, Math.sqrt(aNext)), tf.mul(noise, k2))
    return tNext > 0 && z ? tf.add(next, tf.mul(z, k1)) : next
  })
}
