import * as tf from '@tensorflow/tfjs-core'
import type { PriorSchedule } from '../diffusion/priorSchedule.ts'
import { cosineSchedule, ddimTimes, ddimUpdate, ddpmTimes, ddpmUpdate } from '../diffusion/priorSchedule.ts'
import type { PriorNetworkConfig } from '../models/priorNetwork.ts'
import { PriorNetwork } from '../models/priorNetwork.ts'
import { normalNoise } from '../nn/noise.ts'
import type { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'
import { meanSquaredError } from './losses.ts'

/** Steps of the noise schedule. */
export const PRIOR_TIMESTEPS = 100

/** What one training step of the prior draws. */
export interface PriorDraws {
  /** Timesteps, (B). */
  times: Int32Array
  /** ε, (B, T, D). */
  noise: tf.Tensor3D
  /** 1 where the condition stays, (B) each. */
  keepBrain: Float32Array
  keepImage: Float32Array
}

/** Draws times, noise and which conditions are dropped (each with probability `dropProbability`, independently). */
export function drawPrior(
  random: Random,
  shape: readonly [number, number, number],
  dropProbability: number,
): PriorDraws {
  const [batch] = shape
  const keep = () => Float32Array.from({ length: batch }, () => (random.uniform() < 1 - dropProbability ? 1 : 0))
  return {
    times: Int32Array.from({ length: batch }, () => random.int(PRIOR_TIMESTEPS)),
    keepBrain: keep(),
    keepImage: keep(),
    noise: normalNoise(shape, random) as tf.Tensor3D,
  }
}

/**
 * The diffusion prior: brain embeddings to image embeddings (MindEye §3.3, dalle2-pytorch's `DiffusionPrior` with MindEye's
 * options). The network predicts the clean embedding; all of it happens in a space √D times the embeddings'.
 */
export class DiffusionPrior {
  readonly network: PriorNetwork
  private readonly schedule: PriorSchedule
  private readonly scale: number

  /** Names are those of a checkpoint: `net.` for the network, `noise_scheduler.` for the schedule, which is never trained. */
  constructor(parameters: Parameters, config: PriorNetworkConfig) {
    this.schedule = cosineSchedule(PRIOR_TIMESTEPS)
    for (const [name, numbers] of Object.entries(this.schedule))
      parameters.add(`noise_scheduler.${name}`, [PRIOR_TIMESTEPS], { numbers }, { trained: false })
    this.network = new PriorNetwork(parameters, config, 'net.')
    this.scale = Math.sqrt(config.width)
  }

  /** Mean squared error of the predicted embedding, in the scaled space. brain, target: (B, T, D), unscaled. */
  loss(
    brain: tf.Tensor3D,
    target: tf.Tensor3D,
    { times, noise, keepBrain, keepImage }: PriorDraws,
    anchor: tf.Scalar,
  ): { loss: tf.Scalar; predicted: tf.Tensor3D } {
    const { sqrt_alphas_cumprod: signal, sqrt_one_minus_alphas_cumprod: spread } = this.schedule
    const ofTimes = (table: Float32Array) =>
      tf.tensor3d(
        Float32Array.from(times, (t) => table[t]),
        [times.length, 1, 1],
      )
    const clean = tf.mul(target, this.scale)
    const image = tf.add(tf.mul(ofTimes(signal), clean), tf.mul(ofTimes(spread), noise)) as tf.Tensor3D
    const predicted = this.network.forward({ image, times, brain, keepBrain, keepImage }, anchor)
    return { loss: meanSquaredError(predicted, clean), predicted }
  }

  /**
   * Image embeddings (B, T, D) for brain embeddings (B, T, D). As the original, it takes all steps by DDPM, fewer by DDIM.
   * `draw` gives N(0, 1) of that shape: first the start, then once per step where the sampler draws. `each` sees every x,
   * in the scaled space, before a step.
   */
  sample(
    brain: tf.Tensor3D,
    draw: () => tf.Tensor3D,
    { steps = PRIOR_TIMESTEPS, guidance = 1, each }: SampleOptions = {},
  ): tf.Tensor3D {
    let x = draw()
    const replace = (next: tf.Tensor) => {
      x.dispose()
      x = next as tf.Tensor3D
    }
    const predict = (t: number): tf.Tensor3D =>
      this.network.guided({ image: x, times: new Int32Array(brain.shape[0]).fill(t), brain }, guidance)
    if (steps === PRIOR_TIMESTEPS)
      for (const t of ddpmTimes(PRIOR_TIMESTEPS)) {
        each?.(x, t)
        replace(tf.tidy(() => ddpmUpdate(this.schedule, t, x, predict(t), draw())))
      }
    else {
      const times = ddimTimes(steps, PRIOR_TIMESTEPS)
      for (const [i, t] of times.slice(0, -1).entries()) {
        each?.(x, t)
        const next = times[i + 1]
        replace(tf.tidy(() => ddimUpdate(this.schedule, t, next, x, predict(t), next > 0 ? draw() : undefined, 1)))
      }
    }
    const embedding = tf.div(x, this.scale) as tf.Tensor3D
    x.dispose()
    return embedding
  }
}

export interface SampleOptions {
  /** Sampling steps; all of the schedule's by default. */
  steps?: number
  /** Scale of classifier-free guidance; 1 is none, as MindEye samples. */
  guidance?: number
  each?(x: tf.Tensor3D, t: number): void
}
