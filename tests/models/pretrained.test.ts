import * as tf from '@tensorflow/tfjs-core'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import type { ClipVision } from '../../src-main/models/clipVision.ts'
import { ClipVision as Tower, clipVisionConfig } from '../../src-main/models/clipVision.ts'
import { findModel } from '../../src-main/models/modelFolder.ts'
import { loadAutoencoderKl, loadClipVision, loadImageUnet, type Pretrained } from '../../src-main/models/pretrained.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { normal } from '../support/gradients.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const base = fs.mkdtempSync(join(tmpdir(), 'pretrained-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const config = {
  ...{ hidden_size: 128, intermediate_size: 96, num_hidden_layers: 2, num_attention_heads: 2 },
  ...{ image_size: 16, patch_size: 8, projection_dim: 12 },
}

/** A random tower's arrays by published name, 128 wide with two heads as OpenAI makes them. */
function randomWeights(): Record<string, NdArray> {
  const parameters = new Parameters()
  new Tower(parameters, clipVisionConfig(config, 'config'))
  parameters.initialise(new Random(7))
  const weights: Record<string, NdArray> = {}
  for (const { name, shape } of parameters) {
    const data = Float32Array.from([...parameters.get(name).download('value')].flatMap((part) => [...part]))
    // Biases and norms must show, too.
    weights[name] = {
      dtype: 'float32',
      shape: [...shape],
      data: data.map((x, i) => x + 0.1 * Math.sin(i + name.length)),
    }
  }
  parameters.dispose()
  return weights
}

let weights: Record<string, NdArray>
let expected: Float32Array
let pixels: tf.Tensor4D
beforeAll(() => {
  weights = randomWeights()
  pixels = normal([2, 16, 16, 3]) as tf.Tensor4D
  expected = embeddingOf(loadClipVision(folderWith({ 'model.safetensors': encodeSafetensors(weights) })))
})

function embeddingOf({ model, parameters }: Pretrained<ClipVision>): Float32Array {
  const numbers = tf.tidy(() => model.embedding(pixels)).dataSync<'float32'>()
  parameters.dispose()
  return numbers
}

let count = 0
function folderWith(files: Record<string, Uint8Array | string>, json: unknown = config): string {
  const folder = join(base, `${count++}`)
  fs.mkdirSync(folder)
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(join(folder, name), content)
  if (json) fs.writeFileSync(join(folder, 'config.json'), JSON.stringify(json))
  return folder
}

function refusal(act: () => unknown): MindEyeError {
  const before = tf.memory().numTensors
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(MindEyeError)
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before)
    return error as MindEyeError
  }
  throw new Error('nothing was refused')
}

describe('a model’s folder', () => {
  it('of a whole CLIP gives its image tower', () => {
    const whole = {
      ...weights,
      'text_model.embeddings.token_embedding.weight': { dtype: 'float32', shape: [2], data: new Float32Array(2) },
      'text_projection.weight': { dtype: 'float32', shape: [1], data: new Float32Array(1) },
      logit_scale: { dtype: 'float32', shape: [], data: new Float32Array(1) },
      'vision_model.embeddings.position_ids': { dtype: 'int64', shape: [1, 5], data: new BigInt64Array(5) },
    } satisfies Record<string, NdArray>
    const { projection_dim, ...vision_config } = config
    const json = { architectures: ['CLIPModel'], projection_dim, vision_config }
    const folder = folderWith({ 'model.safetensors': encodeSafetensors(whole) }, json)
    expect(embeddingOf(loadClipVision(folder))).toEqual(expected)
  })

  it('may hold its weights in shards', () => {
    const names = Object.keys(weights)
    const shard = (some: string[]) => encodeSafetensors(Object.fromEntries(some.map((name) => [name, weights[name]])))
    const fileOf = (i: number) => `model-0000${1 + (i % 2)}-of-00002.safetensors`
    const index = { weight_map: Object.fromEntries(names.map((name, i) => [name, fileOf(i)])) }
    const folder = folderWith({
      [fileOf(0)]: shard(names.filter((_, i) => i % 2 === 0)),
      [fileOf(1)]: shard(names.filter((_, i) => i % 2 === 1)),
      'model.safetensors.index.json': JSON.stringify(index),
    })
    expect(embeddingOf(loadClipVision(folder))).toEqual(expected)
  })

  it('may hold half-precision weights, which become float32', () => {
    const half = Object.entries(weights).map(([name, { shape, data }]): [string, NdArray] => [
      name,
      { dtype: 'float16', shape, data: Float16Array.from(data as Float32Array) },
    ])
    const folder = folderWith({ 'model.fp16.safetensors': encodeSafetensors(Object.fromEntries(half)) })
    expectClose(embeddingOf(loadClipVision(folder)), expected, { atol: 0, rtol: 5e-3 }, 'embedding')
  })

  it('is read in full precision and from safetensors where there is a choice', () => {
    const files = ['pytorch_model.bin', 'model.fp16.safetensors', 'diffusion_pytorch_model.bin', 'model.safetensors']
    for (const best of [
      'model.safetensors',
      'pytorch_model.bin',
      'diffusion_pytorch_model.bin',
      'model.fp16.safetensors',
    ]) {
      const { weightsPath, folder } = findModel(folderWith(Object.fromEntries(files.map((name) => [name, '']))))
      expect(weightsPath).toBe(join(folder, best))
      files.splice(files.indexOf(best), 1)
    }
  })

  it('that lacks something is refused with what was looked for and what is there', () => {
    expect(refusal(() => loadClipVision(join(base, 'nowhere'))).parts).toMatchObject({ found: 'no such folder' })
    const noConfig = folderWith({ 'model.safetensors': '', 'README.md': '' }, undefined)
    fs.rmSync(join(noConfig, 'config.json'), { force: true })
    expect(refusal(() => loadClipVision(noConfig)).parts).toMatchObject({
      where: noConfig,
      expected: 'config.json',
      found: 'README.md, model.safetensors',
    })
    const noWeights = refusal(() => loadClipVision(folderWith({ 'model.onnx': '' }))).parts
    expect(noWeights.expected).toMatch(/model\.safetensors.*pytorch_model\.bin.*fp16/)
    expect(noWeights.found).toBe('config.json, model.onnx')
    const pointer = 'version https://git-lfs.example/spec/v1\noid sha256:0\nsize 1\n'
    expect(refusal(() => loadClipVision(folderWith({ 'model.safetensors': pointer }))).message).toContain(
      'git lfs pull',
    )
  })

  it('of another network, with other sizes or with a wrong setting is refused by name', () => {
    const safetensors = { 'model.safetensors': encodeSafetensors(weights) }
    const other = { ...config, _class_name: 'UNet2DConditionModel' }
    expect(refusal(() => loadClipVision(folderWith(safetensors, other))).parts).toMatchObject({
      field: 'class',
      found: 'UNet2DConditionModel',
    })
    const wider = refusal(() => loadClipVision(folderWith(safetensors, { ...config, projection_dim: 13 })))
    expect(wider.message).toContain('visual_projection.weight is [12,128] instead of [13,128]')
    expect(
      refusal(() => loadClipVision(folderWith(safetensors, { ...config, hidden_act: 'relu' }))).parts,
    ).toMatchObject({
      field: 'hidden_act',
      expected: 'one of quick_gelu, gelu',
      found: '"relu"',
    })
    const threeHeads = refusal(() => loadClipVision(folderWith(safetensors, { ...config, num_attention_heads: 3 })))
    expect(threeHeads.parts).toMatchObject({ field: 'num_attention_heads', expected: 'a divisor of hidden_size, 128' })
    expect(refusal(() => loadClipVision(folderWith(safetensors, { ...config, patch_size: 0 }))).parts.field).toBe(
      'patch_size',
    )
  })
})

describe("OpenAI's own layout", () => {
  /** The tower as `VisionTransformer` of openai/CLIP saves it, with something of the text tower beside it. */
  function openAi(): Record<string, NdArray> {
    const fixed: Record<string, string> = {
      'embeddings.class_embedding': 'class_embedding',
      'embeddings.position_embedding.weight': 'positional_embedding',
      'embeddings.patch_embedding.weight': 'conv1.weight',
    }
    const rest: [string, string][] = [
      ['pre_layrnorm', 'ln_pre'],
      ['post_layernorm', 'ln_post'],
      ['encoder.layers', 'transformer.resblocks'],
      ['self_attn.out_proj', 'attn.out_proj'],
      ['layer_norm', 'ln_'],
      ['mlp.fc1', 'mlp.c_fc'],
      ['mlp.fc2', 'mlp.c_proj'],
    ]
    const arrays: Record<string, NdArray> = {}
    for (const [name, array] of Object.entries(weights)) {
      const inner = name.replace('vision_model.', '')
      if (!/\.[qkv]_proj\./.test(inner))
        arrays[`visual.${fixed[inner] ?? rest.reduce((text, [from, to]) => text.replace(from, to), inner)}`] = array
    }
    for (const layer of [0, 1])
      for (const kind of ['weight', 'bias']) {
        const parts = ['q', 'k', 'v'].map(
          (p) => weights[`vision_model.encoder.layers.${layer}.self_attn.${p}_proj.${kind}`],
        )
        const data = Float32Array.from(parts.flatMap((part) => [...(part.data as Float32Array)]))
        const shape = [3 * 128, ...parts[0].shape.slice(1)]
        arrays[`visual.transformer.resblocks.${layer}.attn.in_proj_${kind}`] = { dtype: 'float32', shape, data }
      }
    const { data } = weights['visual_projection.weight']
    const transposed = Float32Array.from({ length: data.length }, (_, i) =>
      Number(data[(i % 12) * 128 + Math.floor(i / 12)]),
    )
    arrays['visual.proj'] = { dtype: 'float32', shape: [128, 12], data: transposed }
    delete arrays['visual.visual_projection.weight']
    arrays['token_embedding.weight'] = { dtype: 'float32', shape: [1], data: new Float32Array(1) }
    return arrays
  }

  const fileWith = (arrays: Record<string, NdArray>): string =>
    join(folderWith({ 'ViT.safetensors': encodeSafetensors(arrays) }), 'ViT.safetensors')

  it('gives the same embedding, sizes taken from its shapes', () => {
    expect(embeddingOf(loadClipVision(fileWith(openAi())))).toEqual(expected)
  })

  it('with something missing, extra or quite other inside is refused by name', () => {
    const { 'visual.ln_pre.bias': _, ...less } = openAi()
    const more = { ...less, 'visual.extra': weights['visual_projection.weight'] }
    const { message } = refusal(() => loadClipVision(fileWith(more)))
    expect(message).toContain('vision_model.pre_layrnorm.bias [128] is missing')
    expect(message).toContain('visual.extra [12,128] is extra')
    expect(refusal(() => loadClipVision(fileWith(weights))).parts).toMatchObject({
      field: 'visual.conv1.weight',
      found: 'none',
    })
  })
})

describe('the networks of diffusers', () => {
  const recorded = (name: string) => {
    const [fixture] = fixtureCases('hf_models', (candidate) => candidate === name)
    return join(fixture.folder, fixture.config.folder as string)
  }

  it('are loaded from their folders; one in the place of another is refused', () => {
    const vae = loadAutoencoderKl(recorded('vae_c8_16_16'))
    const unet = loadImageUnet(recorded('vd_image_unet_c16_32'))
    expect(vae.model.config.channels).toEqual([8, 16, 16])
    expect(unet.model.config.contextWidth).toBe(12)
    vae.parameters.dispose()
    unet.parameters.dispose()
    expect(refusal(() => loadAutoencoderKl(recorded('vd_image_unet_c16_32'))).parts.found).toBe('UNet2DConditionModel')
    expect(refusal(() => loadImageUnet(recorded('clip_vision_p8'))).parts.found).toBe('CLIPVisionModelWithProjection')
  })

  it('a bare file of an autoencoder is taken for Stable Diffusion’s', () => {
    const { message } = refusal(() =>
      loadAutoencoderKl(join(recorded('vae_c16_32'), 'diffusion_pytorch_model.safetensors')),
    )
    expect(message).toContain('encoder.conv_in.weight is [16,3,3,3] instead of [128,3,3,3]')
  })
})
