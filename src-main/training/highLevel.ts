import type { BrainNetworkConfig } from '../models/brainNetwork.ts'
import { BrainNetwork } from '../models/brainNetwork.ts'
import type { Parameters } from '../nn/parameters.ts'
import { DiffusionPrior } from './diffusionPrior.ts'
import type { TrainingConfig } from './fields.ts'

/** The high-level decoder: voxel2clip, with the diffusion prior on top of it or without. */
export interface HighLevelModel {
  brain: BrainNetwork
  prior?: DiffusionPrior
  /** Trained beside it on the same steps, see `createPixelNetwork`. */
  pixels?: BrainNetwork
}

export type HighLevelConfig = Pick<
  TrainingConfig,
  | 'hidden'
  | 'blocks'
  | 'tokens'
  | 'width'
  | 'projectorHidden'
  | 'dropoutFirst'
  | 'dropoutBlocks'
  | 'prior'
  | 'priorDepth'
  | 'priorHeads'
  | 'priorHeadDim'
>

export const brainNetworkConfig = (config: HighLevelConfig, voxels: number): BrainNetworkConfig => ({
  voxels,
  hidden: config.hidden,
  blocks: config.blocks,
  tokens: config.tokens,
  width: config.width,
  projectorHidden: config.projectorHidden,
  dropout: [config.dropoutFirst, config.dropoutBlocks],
})

/**
 * Declares the parameters of a high-level decoder. With the prior the names are those of an official checkpoint
 * (`noise_scheduler.`, `net.`, `voxel2clip.`); without it those of the official `BrainNetwork` alone.
 */
export function createHighLevel(parameters: Parameters, config: HighLevelConfig, voxels: number): HighLevelModel {
  const brain = brainNetworkConfig(config, voxels)
  if (!config.prior) return { brain: new BrainNetwork(parameters, brain) }
  const { tokens, width, priorDepth: depth, priorHeads: heads, priorHeadDim: headDim } = config
  const prior = new DiffusionPrior(parameters, { tokens, width, depth, heads, headDim })
  return { prior, brain: new BrainNetwork(parameters, brain, 'voxel2clip.') }
}

/** Before the names of the pixel network's parameters. */
const PIXEL_PREFIX = 'low.'

export const isOfPixelNetwork = ({ name }: { name: string }): boolean => name.startsWith(PIXEL_PREFIX)

/** Declares the low-level network of a small study: voxel2clip's body from voxels to the logits of a picture's pixels. */
export const createPixelNetwork = (
  parameters: Parameters,
  config: HighLevelConfig,
  voxels: number,
  pixels: number,
): BrainNetwork =>
  new BrainNetwork(
    parameters,
    { ...brainNetworkConfig(config, voxels), tokens: 1, width: pixels, projectorHidden: 0 },
    PIXEL_PREFIX,
  )
