import type { LowLevelConfig } from '../models/lowLevelNetwork.ts'
import { lowLevelConfig } from '../models/lowLevelNetwork.ts'
import type { TrainingConfig } from './fields.ts'
import type { LowLevelOptions } from './lowLevelPlan.ts'
import { lowLevelDefaults } from './lowLevelPlan.ts'

/** Sizes of the low-level network of a run. */
export function lowLevelSizes(config: TrainingConfig, voxels: number): LowLevelConfig {
  const { hidden, blocks, dropoutFirst, dropoutBlocks, contrast, features } = config
  const { mapSide, upsamplerWidth: width, latentChannels } = config
  return {
    ...lowLevelConfig(voxels, contrast),
    hidden,
    blocks,
    map: { side: mapSide, channels: width },
    channels: [width, 2 * width, 4 * width],
    latent: latentChannels,
    features: contrast ? features : 0,
    dropout: [dropoutFirst, dropoutBlocks],
  }
}

/** How often the upsampler's output is as wide as the map. */
export const UPSAMPLING = 4

/** Side of the latents that it gives, px. */
export const latentSide = ({ map, channels }: LowLevelConfig): number => map.side * 2 ** (channels.length - 1)

export function lowLevelOptions(config: TrainingConfig, scalingFactor: number): LowLevelOptions {
  const { batchSize, epochs, maxLr, warmUp, weightDecay, contrastWeight, contrastTemperature } = config
  const given = { batchSize, epochs, maxLr, warmUp, weightDecay, contrastWeight, contrastTemperature, scalingFactor }
  return { ...lowLevelDefaults, ...given }
}
