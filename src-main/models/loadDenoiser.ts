import type { Denoiser, DenoiserSizes } from '../diffusion/denoiser.ts'
import { loadVersatileDenoiser, versatileSizes } from './versatileDenoiser.ts'

/** The denoiser in a pack's folder `image_unet`. Throws a format error that lists what does not fit. Needs the backend. */
export const loadDenoiser = (path: string): Denoiser => loadVersatileDenoiser(path)

/** What it is, from its headers alone. */
export const denoiserSizes = (path: string): DenoiserSizes => versatileSizes(path)
