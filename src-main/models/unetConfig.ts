import * as v from 'valibot'
import { formatError } from '../base/errors.ts'
import { count, parseConfig } from './modelConfig.ts'

/** Sizes of the UNet; Versatile Diffusion's image UNet is [320, 640, 1280, 1280] channels, 2 layers, 8 heads, context 768. */
export interface UnetConfig {
  /** Channels of the latents and of the prediction. */
  inputs: number
  outputs: number
  /** Of each stage, from the finest map on; every stage but the first halves the map. */
  channels: readonly number[]
  /** Whether each stage has transformers, on the way down; the way up mirrors it, and the middle has one. */
  attends: readonly boolean[]
  /** Heads of each stage's transformers. */
  heads: readonly number[]
  /** Residual blocks per stage on the way down; one more on the way up. */
  layers: number
  contextWidth: number
  /** Side of the latents that it was trained on. */
  latentSide: number
  groups: number
  eps: number
  /** Whether the cosines of the time embedding come first. */
  cosineFirst: boolean
  /** The lowest frequency of the time embedding has the exponent of this many before the last. */
  frequencyShift: number
  linearProjection: boolean
}

const only = <T extends string | number | boolean>(value: T) => v.optional(v.literal(value), value)
const absent = v.optional(v.null(), null)

/** What a config.json may leave out has the value that diffusers 0.13 gives it; what we compute in one way only must say that. */
const published = v.object({
  in_channels: v.optional(count, 4),
  out_channels: v.optional(count, 4),
  block_out_channels: v.optional(v.pipe(v.array(count), v.minLength(1)), [320, 640, 1280, 1280]),
  down_block_types: v.optional(v.array(v.picklist(['CrossAttnDownBlock2D', 'DownBlock2D'])), [
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'DownBlock2D',
  ]),
  up_block_types: v.optional(v.array(v.picklist(['CrossAttnUpBlock2D', 'UpBlock2D'])), [
    'UpBlock2D',
    'CrossAttnUpBlock2D',
    'CrossAttnUpBlock2D',
    'CrossAttnUpBlock2D',
  ]),
  layers_per_block: v.optional(count, 2),
  // The number of heads, whatever its name says: diffusers kept the misnomer for the sake of published files.
  attention_head_dim: v.optional(v.union([count, v.array(count)]), 8),
  cross_attention_dim: v.optional(count, 1280),
  sample_size: v.optional(count, 64),
  norm_num_groups: v.optional(count, 32),
  norm_eps: v.optional(v.pipe(v.number(), v.gtValue(0)), 1e-5),
  flip_sin_to_cos: v.optional(v.boolean(), true),
  freq_shift: v.optional(v.number(), 0),
  use_linear_projection: v.optional(v.boolean(), false),
  act_fn: v.optional(v.picklist(['silu', 'swish']), 'silu'),
  mid_block_type: only('UNetMidBlock2DCrossAttn'),
  mid_block_scale_factor: only(1),
  downsample_padding: only(1),
  conv_in_kernel: only(3),
  conv_out_kernel: only(3),
  center_input_sample: only(false),
  dual_cross_attention: only(false),
  only_cross_attention: only(false),
  resnet_time_scale_shift: only('default'),
  time_embedding_type: only('positional'),
  time_cond_proj_dim: absent,
  timestep_post_act: absent,
  class_embed_type: absent,
  num_class_embeds: absent,
  addition_embed_type: absent,
  encoder_hid_dim: absent,
  num_attention_heads: absent,
  transformer_layers_per_block: only(1),
})

/** From a UNet2DConditionModel's config.json. `where` names the file in errors. */
export function unetConfig(json: Record<string, unknown>, where: string): UnetConfig {
  const config = parseConfig(published, json, where)
  const channels = config.block_out_channels
  const stages = channels.length
  const perStage = <T>(values: readonly T[], field: string) => {
    if (values.length === stages) return values
    throw formatError(where, field, `one entry per stage, ${stages}`, `${values.length}`)
  }
  const attends = perStage(config.down_block_types, 'down_block_types').map((type) => type === 'CrossAttnDownBlock2D')
  const mirrored = perStage(config.up_block_types, 'up_block_types').map((type) => type === 'CrossAttnUpBlock2D')
  if (`${mirrored.reverse()}` !== `${attends}`)
    throw formatError(
      where,
      'up_block_types',
      'attention at the same stages as down_block_types, in the opposite order',
      config.up_block_types.join(', '),
    )
  const { attention_head_dim: given, norm_num_groups: groups } = config
  const heads = perStage(Array.isArray(given) ? given : channels.map(() => given), 'attention_head_dim')
  for (const [i, width] of channels.entries()) {
    const divisor = attends[i] || i === stages - 1 ? heads[i] : 1
    if (width % groups || width % divisor)
      throw formatError(
        where,
        'block_out_channels',
        `multiples of ${groups} groups and ${divisor} heads`,
        `${width} channels`,
      )
  }
  return {
    inputs: config.in_channels,
    outputs: config.out_channels,
    channels,
    attends,
    heads,
    layers: config.layers_per_block,
    contextWidth: config.cross_attention_dim,
    latentSide: config.sample_size,
    groups,
    eps: config.norm_eps,
    cosineFirst: config.flip_sin_to_cos,
    frequencyShift: config.freq_shift,
    linearProjection: config.use_linear_projection,
  }
}
