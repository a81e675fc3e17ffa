import type { Denoiser, DenoiserSizes } from '../diffusion/denoiser.ts'
import { findModel } from './modelFolder.ts'
import { latentDenoiserKind } from './pretrained.ts'
import { loadSmallDenoiser, smallSizes } from './smallDenoiser.ts'
import { loadVersatileDenoiser, versatileSizes } from './versatileDenoiser.ts'

/** Whether a model's folder holds the demo pack's class of denoiser, as its config.json says. */
export const isLatentDenoiser = (path: string): boolean =>
  latentDenoiserKind.classes.includes(String(findModel(path).config._class_name))

/** The denoiser in a pack's folder `image_unet`. Throws a format error that lists what does not fit. Needs the backend. */
export const loadDenoiser = (path: string): Denoiser =>
  isLatentDenoiser(path) ? loadSmallDenoiser(path) : loadVersatileDenoiser(path)

/** What it is, from its headers alone. */
export const denoiserSizes = (path: string): DenoiserSizes =>
  isLatentDenoiser(path) ? smallSizes(path) : versatileSizes(path)
