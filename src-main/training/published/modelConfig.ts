import { join } from 'node:path'
import { writeFileAtomic } from '../../base/files.ts'
import type { TrainingConfig } from '../fields.ts'
import type { HighLevelConfig } from '../highLevel.ts'
import { lowLevelSizes } from '../lowLevelConfig.ts'

/**
 * Writes the config.json beside a trained network's weights: its kind and sizes, in the words that `mindeye checkpoint convert` uses for
 * those of others, so that any tool can build the network.
 */
export function saveModelConfig(folder: string, config: TrainingConfig | HighLevelConfig, voxels: number): void {
  writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(facts(config, voxels), null, 2)}\n`)
}

function facts(config: TrainingConfig | HighLevelConfig, voxels: number) {
  if ('method' in config && config.method === 'low-level') {
    const { dropout: _, ...sizes } = lowLevelSizes(config, voxels)
    return { format: 'mindeye', kind: 'low-level', ...sizes }
  }
  const { hidden, blocks, tokens, width, projectorHidden, prior, priorDepth, priorHeads, priorHeadDim } = config
  const sizes = { voxels, hidden, blocks, tokens, width, projectorHidden }
  return prior
    ? { format: 'mindeye', kind: 'high-level', ...sizes, prior, priorDepth, priorHeads, priorHeadDim }
    : { format: 'mindeye', kind: 'brain-network', ...sizes }
}
