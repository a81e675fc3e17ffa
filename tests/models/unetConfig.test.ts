import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { unetConfig } from '../../src-main/models/unetConfig.ts'
import { VersatileDiffusionUnet } from '../../src-main/models/versatileDiffusionUnet.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'

beforeAll(() => loadBackend())

/** What Versatile Diffusion's image_unet/config.json says that is not diffusers' default. */
const published = { _class_name: 'UNet2DConditionModel', cross_attention_dim: 768, sample_size: 64 }

describe('unetConfig', () => {
  it('makes the published network, to the parameter', () => {
    const parameters = new Parameters()
    new VersatileDiffusionUnet(parameters, unetConfig(published, 'config.json'))
    expect(parameters.count).toBe(859_520_964)
    const shapes = new Map([...parameters].map(({ name, shape }) => [name, shape]))
    expect(shapes.get('down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_k.weight')).toEqual([1280, 768])
    expect(shapes.get('up_blocks.3.resnets.0.conv1.weight')).toEqual([320, 960, 3, 3])
    expect(shapes.get('up_blocks.1.attentions.2.proj_in.weight')).toEqual([1280, 1280, 1, 1])
    parameters.dispose()
  })

  it('publishes projections as linear layers where the configuration says so', () => {
    const parameters = new Parameters()
    new VersatileDiffusionUnet(parameters, unetConfig({ ...published, use_linear_projection: true }, 'config.json'))
    expect(parameters.get('mid_block.attentions.0.proj_out.weight').shape).toEqual([1280, 1280])
    parameters.dispose()
  })

  it.each([
    [{ class_embed_type: 'timestep' }, /config\.json, class_embed_type: expected null, found "timestep"/],
    [{ resnet_time_scale_shift: 'scale_shift' }, /resnet_time_scale_shift: expected "default"/],
    [{ down_block_types: ['DownBlock2D'] }, /down_block_types: expected one entry per stage, 4, found 1/],
    [
      { down_block_types: ['AttnDownBlock2D'] },
      /down_block_types\.0: expected one of CrossAttnDownBlock2D, DownBlock2D/,
    ],
    [
      { up_block_types: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'] },
      /up_block_types: expected attention at the same stages/,
    ],
    [{ block_out_channels: [320, 640, 1280, 1290] }, /block_out_channels: expected multiples of 32 groups and 8 heads/],
    [{ attention_head_dim: [8, 8] }, /attention_head_dim: expected one entry per stage/],
  ])('refuses %j', (change, message) => {
    expect(() => unetConfig({ ...published, ...change }, 'config.json')).toThrow(message)
  })
})
