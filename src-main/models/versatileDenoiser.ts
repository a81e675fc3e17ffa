import type * as tf from '@tensorflow/tfjs-core'
import type { Condition, Denoiser, DenoiserSizes } from '../diffusion/denoiser.ts'
import type { Pretrained } from './pretrained.ts'
import { imageUnetKind, loadImageUnet, openNetwork } from './pretrained.ts'
import type { UnetConfig } from './unetConfig.ts'
import type { VersatileDiffusionUnet } from './versatileDiffusionUnet.ts'

/** Tokens of CLIP ViT-L/14, on which it was trained; the network itself takes any number. */
const TOKENS = 257

const sizesOf = ({ inputs, latentSide, contextWidth }: UnetConfig): DenoiserSizes => ({
  prediction: 'epsilon',
  latentChannels: inputs,
  latentSide,
  tokens: TOKENS,
  width: contextWidth,
  startScaling: 'clip',
  guidance: 3.5, // as the official code
})

/** From the headers of its folder alone. */
export function versatileSizes(path: string): DenoiserSizes {
  const network = openNetwork(imageUnetKind, path)
  network.close()
  return sizesOf(network.config)
}

/** Versatile Diffusion's image UNet as a denoiser. */
export function loadVersatileDenoiser(path: string): Denoiser {
  const { model, parameters }: Pretrained<VersatileDiffusionUnet> = loadImageUnet(path)
  return {
    ...sizesOf(model.config),
    condition(tokens: tf.Tensor3D): Condition {
      const context = model.prepareContext(tokens)
      return {
        predict: (latents, timestep) => model.forward(latents, timestep, context),
        dispose: () => context.dispose(),
      }
    },
    dispose: () => parameters.dispose(),
  }
}
