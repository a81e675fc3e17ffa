/**
 * The image networks of public folders. Their sizes stand in the config.json beside the weights; where there is none, one is made in the
 * same words from the shapes, with the usual values for what shapes do not tell.
 */
import type { ArrayEntry } from '../../formats/array.ts'
import { openAiClipVision } from '../../models/openAiClip.ts'
import { autoencoderKind, clipVisionKind, imageUnetKind } from '../../models/pretrained.ts'
import type { NetworkKind } from '../../models/pretrained.ts'
import type { JsonObject } from '../../workspace/records.ts'
import type { Kind } from './kind.ts'
import { groupsOf, Shapes } from './shapes.ts'

interface PublicKind<C, M> extends Pick<Kind, 'id' | 'title'> {
  /** Names that such a file has, all of one list. */
  marks: readonly (readonly string[])[]
  network: NetworkKind<C, M>
  arraysOf?(arrays: readonly ArrayEntry[], where: string): ArrayEntry[]
  configOf(shapes: Shapes): JsonObject
}

const publicKind = <C, M>({ id, title, marks, network, arraysOf, configOf }: PublicKind<C, M>): Kind => ({
  id,
  title,
  matches: (has) => marks.some((names) => names.every(has)),
  describe(given, beside, where) {
    const arrays = arraysOf?.(given, where) ?? network.arraysOf(given)
    const { json, path } = beside ?? { json: configOf(new Shapes(arrays)), path: where }
    const config = network.configOf(json, path)
    return { arrays, config: json as JsonObject, declare: (all) => void network.make(all, config) }
  },
})

const tower = 'vision_model'
const patches = `${tower}.embeddings.patch_embedding.weight`

export const clipVision = publicKind({
  id: 'clip-vision',
  title: 'the image tower of a CLIP',
  marks: [[`${tower}.embeddings.class_embedding`], ['visual.class_embedding', 'visual.proj']],
  network: clipVisionKind,
  arraysOf: (arrays, where) =>
    arrays.some(({ name }) => name === 'visual.class_embedding')
      ? openAiClipVision(arrays, where).arrays
      : clipVisionKind.arraysOf(arrays),
  configOf(shapes) {
    const width = shapes.axis([[`${tower}.embeddings.class_embedding`, 0], [patches, 0]], 1024) // prettier-ignore
    const patch = shapes.axis([[patches, 2]], 14)
    const positions = shapes.axis([[`${tower}.embeddings.position_embedding.weight`, 0]], 257)
    return {
      architectures: ['CLIPVisionModelWithProjection'],
      hidden_size: width,
      intermediate_size: shapes.axis(
        [
          [`${tower}.encoder.layers.0.mlp.fc1.weight`, 0],
          [`${tower}.encoder.layers.0.mlp.fc1.bias`, 0],
          [`${tower}.encoder.layers.0.mlp.fc2.weight`, 1],
        ],
        4 * width,
      ),
      num_hidden_layers: shapes.count(/^vision_model\.encoder\.layers\.(\d+)\./, 24),
      // In every CLIP of OpenAI's, heads are 64 wide.
      num_attention_heads: Math.max(1, Math.floor(width / 64)),
      num_channels: shapes.axis([[patches, 1]], 3),
      image_size: patch * Math.floor(Math.sqrt(positions - 1)),
      patch_size: patch,
      projection_dim: shapes.axis([['visual_projection.weight', 0]], 768),
    }
  },
})

export const autoencoder = publicKind({
  id: 'autoencoder',
  title: 'an autoencoder of latent diffusion',
  marks: [['encoder.conv_in.weight', 'decoder.conv_in.weight', 'quant_conv.weight']],
  network: autoencoderKind,
  configOf(shapes) {
    const channels = Array.from({ length: shapes.count(/^encoder\.down_blocks\.(\d+)\./, 4) }, (_, i) =>
      shapes.channels(`encoder.down_blocks.${i}.resnets.0`, 128 * Math.min(4, 2 ** i)),
    )
    return {
      _class_name: 'AutoencoderKL',
      in_channels: shapes.axis([['encoder.conv_in.weight', 1]], 3),
      out_channels: shapes.axis([['decoder.conv_out.weight', 0]], 3),
      latent_channels: shapes.axis([['post_quant_conv.weight', 0], ['decoder.conv_in.weight', 1]], 4), // prettier-ignore
      block_out_channels: channels,
      layers_per_block: shapes.count(/^encoder\.down_blocks\.0\.resnets\.(\d+)\./, 2),
      norm_num_groups: groupsOf(channels),
    }
  },
})

export const imageUnet = publicKind({
  id: 'image-unet',
  title: 'an image UNet of latent diffusion',
  marks: [['conv_in.weight', 'time_embedding.linear_1.weight', 'mid_block.resnets.0.conv1.weight']],
  network: imageUnetKind,
  configOf(shapes) {
    const channels = Array.from({ length: shapes.count(/^down_blocks\.(\d+)\./, 4) }, (_, i) =>
      shapes.channels(`down_blocks.${i}.resnets.0`, 320 * Math.min(4, 2 ** i)),
    )
    const attends = channels.map((_, i) => shapes.count(new RegExp(`^down_blocks\\.${i}\\.attentions\\.(\\d+)\\.`)) > 0)
    const inMiddle = 'mid_block.attentions.0'
    return {
      _class_name: 'UNet2DConditionModel',
      in_channels: shapes.axis([['conv_in.weight', 1]], 4),
      out_channels: shapes.axis([['conv_out.weight', 0]], 4),
      block_out_channels: channels,
      down_block_types: attends.map((has) => (has ? 'CrossAttnDownBlock2D' : 'DownBlock2D')),
      up_block_types: attends.map((has) => (has ? 'CrossAttnUpBlock2D' : 'UpBlock2D')).reverse(),
      layers_per_block: shapes.count(/^down_blocks\.0\.resnets\.(\d+)\./, 2),
      cross_attention_dim: shapes.axis(
        ['to_k', 'to_v'].map((part) => [`${inMiddle}.transformer_blocks.0.attn2.${part}.weight`, 1] as const),
        768,
      ),
      attention_head_dim: groupsOf([8, ...channels]),
      norm_num_groups: groupsOf(channels),
      use_linear_projection:
        shapes.has(`${inMiddle}.proj_in.weight`) && !shapes.axis([[`${inMiddle}.proj_in.weight`, 3]], 0),
    }
  },
})
