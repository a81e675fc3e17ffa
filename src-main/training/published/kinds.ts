/** The networks whose weights we know, told by the names of their parameters. */
import { BrainNetwork } from '../../models/brainNetwork.ts'
import { LowLevelNetwork } from '../../models/lowLevelNetwork.ts'
import { withOldAttentionNames } from '../../models/vaeBlocks.ts'
import type { Parameters } from '../../nn/parameters.ts'
import { DiffusionPrior } from '../diffusionPrior.ts'
import { brainNetworkConfig, createHighLevel } from '../highLevel.ts'
import type { HighLevelConfig } from '../highLevel.ts'
import type { Kind } from './kind.ts'
import { autoencoder, clipVision, imageUnet } from './publicKinds.ts'
import { groupsOf, Shapes } from './shapes.ts'

/** Dropout has no weights; a run that goes on from a checkpoint starts with the official shares. */
const officialDropout = { dropoutFirst: 0.5, dropoutBlocks: 0.15 }

function brainSizes(shapes: Shapes, prefix: string) {
  const name = (rest: string) => `${prefix}${rest}`
  const hidden = shapes.axis(
    [
      [name('lin0.0.weight'), 0],
      [name('lin0.1.weight'), 0],
      [name('lin0.1.bias'), 0],
      [name('mlp.0.0.weight'), 1],
      [name('lin1.weight'), 1],
    ],
    4096,
  )
  const outputs = shapes.axis([[name('lin1.weight'), 0], [name('lin1.bias'), 0]], 257 * 768) // prettier-ignore
  const width = shapes.axis(
    [
      [name('projector.0.weight'), 0],
      [name('projector.8.weight'), 0],
      ['net.learned_query', 1],
      ['net.null_brain_embeds', 1],
    ],
    outputs % 768 ? outputs : 768,
  )
  return {
    voxels: shapes.axis([[name('lin0.0.weight'), 1]], 15724),
    hidden,
    blocks: shapes.count(new RegExp(`^${name('mlp')}\\.(\\d+)\\.`)),
    tokens: Math.max(1, Math.floor(outputs / width)),
    width,
    projectorHidden: shapes.axis([[name('projector.2.weight'), 0], [name('projector.5.weight'), 0]], 0), // prettier-ignore
  }
}

function priorSizes(shapes: Shapes) {
  const transformer = 'net.causal_transformer'
  const embeddings = ['learned_query', 'null_brain_embeds', 'null_image_embed'].map((name) => `net.${name}`)
  const priorDepth = shapes.count(/^net\.causal_transformer\.layers\.(\d+)\./)
  const attentions = Array.from({ length: priorDepth }, (_, i) => `${transformer}.layers.${i}.0`)
  const width = shapes.axis([...embeddings.map((name) => [name, 1] as const), [`${transformer}.norm.g`, 0]], 768)
  const keysAndValues = shapes.axis(
    attentions.map((name) => [`${name}.to_kv.weight`, 0] as const),
    2 * 64,
  )
  const priorHeadDim = shapes.axis(
    attentions.map((name) => [`${name}.null_kv`, 1] as const),
    Math.max(1, Math.floor(keysAndValues / 2)),
  )
  const inner = shapes.axis(
    attentions.map((name) => [`${name}.to_q.weight`, 0] as const),
    width,
  )
  return {
    tokens: shapes.axis(
      embeddings.map((name) => [name, 0] as const),
      257,
    ),
    width,
    priorDepth,
    priorHeads: shapes.axis(
      [[`${transformer}.rel_pos_bias.relative_attention_bias.weight`, 1]],
      Math.max(1, Math.floor(inner / priorHeadDim)),
    ),
    priorHeadDim,
  }
}

const highLevel: Kind = {
  id: 'high-level',
  title: 'the high-level decoder: voxel2clip with the diffusion prior',
  matches: (has) => has('voxel2clip.lin0.0.weight') && has('net.learned_query'),
  describe(arrays) {
    const shapes = new Shapes(arrays)
    const { voxels, ...sizes } = { ...priorSizes(shapes), ...brainSizes(shapes, 'voxel2clip.') }
    const config: HighLevelConfig = { ...sizes, ...officialDropout, prior: true }
    return {
      arrays,
      config: { voxels, ...sizes, prior: true },
      declare: (all) => void createHighLevel(all, config, voxels),
    }
  },
}

const noPrior = { prior: false, priorDepth: 0, priorHeads: 0, priorHeadDim: 0 }

const brainNetwork: Kind = {
  id: 'brain-network',
  title: 'voxel2clip, without the diffusion prior',
  matches: (has) => has('lin0.0.weight') && has('lin1.weight') && has('lin1.bias'),
  describe(arrays) {
    const { voxels, ...sizes } = brainSizes(new Shapes(arrays), '')
    const config = brainNetworkConfig({ ...sizes, ...officialDropout, ...noPrior }, voxels)
    return { arrays, config: { voxels, ...sizes }, declare: (all) => void new BrainNetwork(all, config) }
  },
}

const prior: Kind = {
  id: 'prior',
  title: 'the diffusion prior, without voxel2clip',
  matches: (has) => has('net.learned_query') && has('net.causal_transformer.project_out.weight'),
  describe(arrays) {
    const sizes = priorSizes(new Shapes(arrays))
    const { tokens, width, priorDepth: depth, priorHeads: heads, priorHeadDim: headDim } = sizes
    const config = { tokens, width, depth, heads, headDim }
    return { arrays, config: sizes, declare: (all) => void new DiffusionPrior(all, config) }
  },
}

const lowLevel: Kind = {
  id: 'low-level',
  title: 'the low-level decoder: voxels to the latent of a blurry image',
  matches: (has) => has('lin0.0.weight') && has('upsampler.conv_in.weight'),
  describe(given) {
    const arrays = withOldAttentionNames(given)
    const shapes = new Shapes(arrays)
    const { voxels, hidden, blocks } = brainSizes(shapes, '')
    const channels = shapes.axis([['norm.weight', 0], ['upsampler.conv_in.weight', 1]], 64) // prettier-ignore
    const outputs = shapes.axis([['lin1.weight', 0]], 16 * 16 * channels)
    const stages = shapes.count(/^upsampler\.up_blocks\.(\d+)\./, 3)
    const upsampler = Array.from({ length: stages }, (_, i) =>
      shapes.channels(`upsampler.up_blocks.${stages - 1 - i}.resnets.0`, 64 * 2 ** i),
    )
    const config = {
      voxels,
      hidden,
      blocks,
      map: { side: Math.floor(Math.sqrt(outputs / channels)), channels },
      channels: upsampler,
      layers: shapes.count(/^upsampler\.up_blocks\.0\.resnets\.(\d+)\./, 2) - 1,
      groups: groupsOf(upsampler),
      latent: shapes.axis([['upsampler.conv_out.weight', 0]], 4),
      features: shapes.axis([['maps_projector.0.weight', 0], ['maps_projector.3.weight', 0]], 0), // prettier-ignore
    }
    const declare = (all: Parameters) => void new LowLevelNetwork(all, { ...config, dropout: [0.5, 0.25] })
    return { arrays, config, declare }
  },
}

/** In the order in which they are tried. */
export const kinds: readonly Kind[] = [highLevel, lowLevel, brainNetwork, prior, clipVision, autoencoder, imageUnet]
