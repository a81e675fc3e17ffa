import { expect, it } from 'vitest'
import { BrainNetwork } from '../../src-main/models/brainNetwork.ts'
import { LowLevelNetwork, lowLevelConfig } from '../../src-main/models/lowLevelNetwork.ts'
import { PriorNetwork } from '../../src-main/models/priorNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { decoderParameters } from '../../src-main/training/memory.ts'
import { parseTraining, type TrainingConfig } from '../../src-main/training/fields.ts'
import { brainNetworkConfig } from '../../src-main/training/highLevel.ts'
import { presets } from '../../src-main/training/presets.ts'

const SUBJ01_VOXELS = 15_724
const { options } = presets.find(({ id }) => id === 'paper-subj01')!
const paper = parseTraining(options).output as TrainingConfig
const { tokens, width, priorDepth: depth, priorHeads: heads, priorHeadDim: headDim } = paper
const prior = { tokens, width, depth, heads, headDim }

// Parameters take no memory until they get values, so the published sizes can be declared anywhere.
it.each<[string, number, (parameters: Parameters) => unknown]>([
  ['voxel2clip', 947_579_904, (all) => new BrainNetwork(all, brainNetworkConfig(paper, SUBJ01_VOXELS))],
  ['the prior', 56_055_184, (all) => new PriorNetwork(all, prior)],
  ['the low-level network', 206_065_604, (all) => new LowLevelNetwork(all, lowLevelConfig(SUBJ01_VOXELS, true))],
])('%s of subject 1 has %i parameters', (_, count, declare) => {
  const parameters = new Parameters()
  declare(parameters)
  expect(parameters.count).toBe(count)
})

it('a run counts the parameters of its decoder, which a checkpoint of PyTorch has beside the tables of its schedule', () => {
  expect(decoderParameters(paper, SUBJ01_VOXELS)).toBe(947_579_904 + 56_055_184)
  expect(decoderParameters({ ...paper, prior: false }, SUBJ01_VOXELS)).toBe(947_579_904)
  expect(decoderParameters({ ...paper, method: 'ridge' }, 100)).toBe(101 * 257 * 768)
})
