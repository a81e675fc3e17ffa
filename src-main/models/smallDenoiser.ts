import * as tf from '@tensorflow/tfjs-core'
import type { Condition, Denoiser, DenoiserSizes } from '../diffusion/denoiser.ts'
import type { LatentCondition, LatentDenoiserConfig } from './latentDenoiser.ts'
import { latentDenoiserKind, loadNetwork, openNetwork } from './pretrained.ts'

const sizesOf = ({ channels, side, tokens, tokenWidth }: LatentDenoiserConfig): DenoiserSizes => ({
  prediction: 'v_prediction',
  latentChannels: channels,
  latentSide: side,
  tokens,
  width: tokenWidth,
  startScaling: 'signed',
  guidance: 1.75, // the best of those tried on unseen scenes
})

/** From the headers of its folder alone. */
export function smallSizes(path: string): DenoiserSizes {
  const network = openNetwork(latentDenoiserKind, path)
  network.close()
  return sizesOf(network.config)
}

/** The demo pack's network, `LatentDenoiser`, as a denoiser. */
export function loadSmallDenoiser(path: string): Denoiser {
  const { model, parameters } = loadNetwork(latentDenoiserKind, path)
  return {
    ...sizesOf(model.config),
    condition(tokens: tf.Tensor3D): Condition {
      const condition = tf.tidy((): LatentCondition => {
        const { whole, places } = model.condition(tokens)
        return { whole: tf.keep(whole), places: tf.keep(places) }
      })
      return {
        predict: (latents, timestep) => tf.tidy(() => model.forward(latents, [timestep], condition)),
        dispose: () => tf.dispose(condition),
      }
    },
    dispose: () => parameters.dispose(),
  }
}
