import { join } from 'node:path'
import { writeFileAtomic } from '../../base/files.ts'
import type { HighLevelConfig } from '../highLevel.ts'

/**
 * Writes the config.json beside a trained network's weights: its kind and sizes, in the words that `mindeye checkpoint convert` uses for
 * those of others, so that any tool can build the network.
 */
export function saveModelConfig(folder: string, config: HighLevelConfig, voxels: number): void {
  const { hidden, blocks, tokens, width, projectorHidden, prior, priorDepth, priorHeads, priorHeadDim } = config
  const sizes = { voxels, hidden, blocks, tokens, width, projectorHidden }
  const facts = prior
    ? { format: 'mindeye', kind: 'high-level', ...sizes, prior, priorDepth, priorHeads, priorHeadDim }
    : { format: 'mindeye', kind: 'brain-network', ...sizes }
  writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(facts, null, 2)}\n`)
}
