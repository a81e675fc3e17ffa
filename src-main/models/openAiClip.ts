import { formatError } from '../base/errors.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { renamed } from '../formats/array.ts'
import { toFloat32 } from '../formats/elements.ts'
import { permuteAxes } from '../nn/parameters.ts'
import type { ClipVisionConfig } from './clipVision.ts'

/** Width of one attention head in every CLIP that OpenAI published. */
const HEAD_WIDTH = 64

const fixed: Record<string, string> = {
  'visual.class_embedding': 'vision_model.embeddings.class_embedding',
  'visual.positional_embedding': 'vision_model.embeddings.position_embedding.weight',
  'visual.conv1.weight': 'vision_model.embeddings.patch_embedding.weight',
  'visual.ln_pre': 'vision_model.pre_layrnorm',
  'visual.ln_post': 'vision_model.post_layernorm',
}
const inBlock: Record<string, string> = {
  'attn.out_proj': 'self_attn.out_proj',
  ln_1: 'layer_norm1',
  ln_2: 'layer_norm2',
  'mlp.c_fc': 'mlp.fc1',
  'mlp.c_proj': 'mlp.fc2',
}

/**
 * The image tower of OpenAI's own layout (`VisionTransformer` of openai/CLIP) under the names of transformers: query, key and value
 * are one array there, the projection is stored (in, out), and sizes follow from the shapes. Everything else in the file is left out.
 */
export function openAiClipVision(
  arrays: readonly ArrayEntry[],
  where: string,
): { config: ClipVisionConfig; arrays: ArrayEntry[] } {
  const byName = new Map(arrays.map((array) => [array.name, array]))
  const shapeOf = (name: string, axes: number): number[] => {
    const shape = byName.get(name)?.shape
    if (shape?.length !== axes)
      throw formatError(where, name, `an array of ${axes} axes`, shape ? `[${shape}]` : 'none')
    return shape
  }
  const [width, channels, patch] = shapeOf('visual.conv1.weight', 4)
  if (width % HEAD_WIDTH)
    throw formatError(where, 'visual.conv1.weight', `a multiple of ${HEAD_WIDTH} channels`, `${width}`)
  const [tokens] = shapeOf('visual.positional_embedding', 2)
  const [mlpWidth] = shapeOf('visual.transformer.resblocks.0.mlp.c_fc.weight', 2)
  const [, projection] = shapeOf('visual.proj', 2)
  const layers = new Set(arrays.flatMap(({ name }) => /^visual\.transformer\.resblocks\.(\d+)\./.exec(name)?.[1] ?? []))
  return {
    config: {
      ...{ width, mlpWidth, channels, patch, projection, layers: layers.size },
      ...{ heads: width / HEAD_WIDTH, image: patch * Math.round(Math.sqrt(tokens - 1)) },
      ...{ activation: 'quick_gelu', eps: 1e-5 },
    },
    arrays: arrays.filter(({ name }) => name.startsWith('visual.')).flatMap((array) => translated(array, width)),
  }
}

function translated(array: ArrayEntry, width: number): ArrayEntry[] {
  const { name } = array
  if (name === 'visual.proj') return [transposed(array, 'visual_projection.weight')]
  const [, layer, rest] = /^visual\.transformer\.resblocks\.(\d+)\.(.+)$/.exec(name) ?? []
  if (!layer) {
    const prefix = Object.keys(fixed).find((key) => name === key || name.startsWith(`${key}.`))
    return [renamed(array, prefix ? fixed[prefix] + name.slice(prefix.length) : name)]
  }
  const block = `vision_model.encoder.layers.${layer}`
  const joint = /^attn\.in_proj_(weight|bias)$/.exec(rest)?.[1]
  if (joint)
    return ['q', 'k', 'v'].map((which, i) => rows(array, `${block}.self_attn.${which}_proj.${joint}`, i * width, width))
  const prefix = Object.keys(inBlock).find((key) => rest.startsWith(`${key}.`))
  return [renamed(array, prefix ? `${block}.${inBlock[prefix]}${rest.slice(prefix.length)}` : name)]
}

/** Rows [start, start + count) of an array as one of its own. */
function rows(array: ArrayEntry, name: string, start: number, count: number): ArrayEntry {
  const readRows = (from: number, to: number) => array.readRows(start + from, start + to)
  return { name, dtype: array.dtype, shape: [count, ...array.shape.slice(1)], readRows, read: () => readRows(0, count) }
}

function transposed(array: ArrayEntry, name: string): ArrayEntry {
  const [from, to] = array.shape
  const read = () => new Float32Array(permuteAxes(toFloat32(array.read()), [from, to], [1, 0]))
  return {
    ...{ name, dtype: 'float32', shape: [to, from] },
    read: () => ({ dtype: 'float32', shape: [to, from], data: read() }),
    readRows: (start, stop) => ({
      ...{ dtype: 'float32', shape: [stop - start, from] },
      data: read().subarray(start * from, stop * from),
    }),
  }
}
