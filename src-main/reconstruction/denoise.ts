import * as tf from '@tensorflow/tfjs-core'
import { setImmediate } from 'node:timers/promises'
import { MindEyeError } from '../base/errors.ts'
import type { Denoiser } from '../diffusion/denoiser.ts'
import type { NoiseTable } from '../diffusion/tables.ts'
import { UniPC } from '../diffusion/unipc.ts'

/** Stage 5: from noise, or from a noised latent, to the latents of pictures, conditioned on image embeddings. */

export interface Denoising {
  /** Sampling steps of the whole way from noise. */
  steps: number
  /** g of classifier-free guidance; 1 is none. */
  guidance: number
}

/** From where image-to-image sampling starts. */
export interface Start {
  /** (1, h, w, L), in units of the autoencoder's latents times its scaling factor. */
  latent: tf.Tensor4D
  /** Share of the way that is denoised; what is left keeps the start. */
  strength: number
}

/** Position in the timesteps at which image-to-image sampling starts; none of the way is gone where there is no step left. */
export function startIndex(steps: number, strength: number): number {
  const taken = Math.min(Math.trunc(steps * strength), steps)
  if (taken > 0) return steps - taken
  throw new MindEyeError({
    kind: 'input',
    where: '--strength',
    expected: `at least ${1 / steps}, one of ${steps} steps`,
    found: `${strength}`,
    fix: 'Raise it, or take more steps.',
  })
}

/** Classifier-free guidance: u + g (c − u). */
export const guided = (unconditional: tf.Tensor4D, conditional: tf.Tensor4D, guidance: number): tf.Tensor4D =>
  tf.tidy(() => tf.add(unconditional, tf.mul(tf.sub(conditional, unconditional), guidance)))

/** Steps that a denoising takes. */
export const stepsTaken = ({ steps }: Denoising, strength?: number): number =>
  strength === undefined ? steps : steps - startIndex(steps, strength)

/** Told after each step: how many are done, and the clean latents (K, h, w, L) as the network sees them now, if asked for. */
export type StepWatch = (done: number, clean: () => tf.Tensor4D) => Promise<void> | void

/**
 * Latents (K, h, w, L) for embeddings (K, T, D) from noise (K, h, w, L), times the autoencoder's scaling factor. Each candidate is denoised
 * by itself with its unconditional twin, so memory does not grow with K. Neither argument is disposed.
 */
export async function denoise(
  denoiser: Denoiser,
  table: NoiseTable,
  { embeddings, noise, start }: { embeddings: tf.Tensor3D; noise: tf.Tensor4D; start?: Start },
  { steps, guidance }: Denoising,
  each: StepWatch,
): Promise<tf.Tensor4D> {
  const scheduler = new UniPC(table, { prediction: denoiser.prediction })
  scheduler.setTimesteps(steps)
  const timesteps = scheduler.timesteps.slice(start ? startIndex(scheduler.timesteps.length, start.strength) : 0)
  const conditions = tf
    .split(embeddings, embeddings.shape[0], 0)
    .map((tokens) => guidedCondition(denoiser, tokens as tf.Tensor3D, guidance))
  let x: tf.Tensor4D = start ? (table.addNoise(start.latent, noise, timesteps[0]) as tf.Tensor4D) : tf.clone(noise)
  try {
    for (const [i, t] of timesteps.entries()) {
      const output = tf.tidy(() =>
        tf.concat(
          tf.split(x, x.shape[0], 0).map((latent, k) => conditions[k].predict(latent as tf.Tensor4D, t)),
          0,
        ),
      )
      try {
        await each(i + 1, () => table.clean(x, output, t, denoiser.prediction) as tf.Tensor4D)
        const next = scheduler.step(output, t, x) as tf.Tensor4D
        x.dispose()
        x = next
      } finally {
        output.dispose()
      }
      await setImmediate() // lets an abort in
    }
    return x
  } catch (error) {
    x.dispose()
    throw error
  } finally {
    scheduler.reset()
    for (const condition of conditions) condition.dispose()
  }
}

/** One candidate's prediction with guidance; takes over its tokens (1, T, D). */
function guidedCondition(denoiser: Denoiser, tokens: tf.Tensor3D, guidance: number) {
  const pair = tf.tidy(() => (guidance === 1 ? tf.clone(tokens) : tf.concat([tf.zerosLike(tokens), tokens], 0)))
  const condition = denoiser.condition(pair)
  tf.dispose([tokens, pair])
  return {
    predict: (latent: tf.Tensor4D, t: number): tf.Tensor4D =>
      tf.tidy(() => {
        if (guidance === 1) return condition.predict(latent, t)
        const both = condition.predict(tf.concat([latent, latent], 0), t)
        const [none, given] = tf.split(both, 2, 0) as tf.Tensor4D[]
        return guided(none, given, guidance)
      }),
    dispose: () => condition.dispose(),
  }
}
