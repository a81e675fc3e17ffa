import * as tf from '@tensorflow/tfjs-core'
import { MindEyeError } from '../base/errors.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { openSafetensors } from '../formats/safetensors.ts'
import { openFile } from '../formats/source.ts'
import { normalNoise } from '../nn/noise.ts'
import { Random } from '../nn/random.ts'
import { PRIOR_TIMESTEPS } from '../training/diffusionPrior.ts'

/**
 * All that is drawn for one picture, N(0, 1). The official code seeds its generator anew for every picture and draws in the order of these
 * names, so every picture sees the same numbers; so does ours. The caller disposes what it is given.
 */
export interface Noise {
  /** For the prior's sampler: what it starts from, then one per step, (K, T, D) each. */
  prior(): () => tf.Tensor3D
  /** For the latent of the picture that sampling starts from, (1, h, w, L). */
  encoding(): tf.Tensor4D
  /** The denoiser's noise, (K, h, w, L). */
  start(): tf.Tensor4D
}

export interface NoiseShape {
  /** K, T and D. */
  candidates: number
  tokens: number
  width: number
  /** Side and channels of a latent. */
  side: number
  channels: number
}

/** From a seed. Each draw has a stream of its own, so that pictures with and without a low-level start see the same noise. */
export function seededNoise(seed: number, { candidates, tokens, width, side, channels }: NoiseShape): Noise {
  const random = new Random(seed).split('reconstruction')
  return {
    prior() {
      let draw = 0
      return () => normalNoise([candidates, tokens, width], random.split('prior', draw++)) as tf.Tensor3D
    },
    encoding: () => normalNoise([1, side, side, channels], random.split('encoding')) as tf.Tensor4D,
    start: () => normalNoise([candidates, side, side, channels], random.split('start')) as tf.Tensor4D,
  }
}

/**
 * From a safetensors file with what PyTorch drew, in its order of axes: `prior_start` (K, T, D), `prior_steps` (100, K, T, D), `encoding`
 * (1, L, h, w), `start` (K, L, h, w). Throws where the file lacks one or its shape is not that of the pictures to be made; `encoding` may be
 * missing where nothing starts from a low-level picture.
 */
export function recordedNoise(path: string, shape: NoiseShape, needsEncoding: boolean): Noise & { close(): void } {
  const { candidates, tokens, width, side, channels } = shape
  const expected: Record<string, number[]> = {
    prior_start: [candidates, tokens, width],
    prior_steps: [PRIOR_TIMESTEPS, candidates, tokens, width],
    ...(needsEncoding && { encoding: [1, channels, side, side] }),
    start: [candidates, channels, side, side],
  }
  const file = openSafetensors(openFile(path))
  const arrays = new Map(file.arrays.map((array) => [array.name, array]))
  for (const [name, wanted] of Object.entries(expected))
    if (`${arrays.get(name)?.shape}` !== `${wanted}` || arrays.get(name)?.dtype !== 'float32') {
      const found = arrays.get(name)
      file.close()
      throw new MindEyeError({
        kind: 'input',
        where: path,
        field: name,
        expected: `float32 [${wanted.join(', ')}]`,
        found: found ? `${found.dtype} [${found.shape.join(', ')}]` : 'no such array',
        fix: 'Record it for as many samples and the networks of this pack (docs/reconstruction.md), or give a --seed instead.',
      })
    }
  const latent = (array: ArrayEntry) =>
    tf.tidy(() => {
      const { data, shape } = array.read()
      return tf.transpose(
        tf.tensor<tf.Rank.R4>(data as Float32Array, shape as [number, number, number, number]),
        [0, 2, 3, 1],
      ) as tf.Tensor4D
    })
  const embedding = (data: ArrayLike<number>) =>
    tf.tensor3d(data as Float32Array, [candidates, tokens, width], 'float32')
  return {
    prior() {
      let draw = -1
      return () => {
        const step = draw++
        if (step < 0) return embedding(arrays.get('prior_start')!.read().data as Float32Array)
        return embedding(arrays.get('prior_steps')!.readRows(step, step + 1).data as Float32Array)
      }
    },
    encoding: () => latent(arrays.get('encoding')!),
    start: () => latent(arrays.get('start')!),
    close: () => file.close(),
  }
}
