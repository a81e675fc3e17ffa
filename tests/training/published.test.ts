import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { ArrayEntry, NdArray } from '../../src-main/formats/array.ts'
import { elementCount } from '../../src-main/formats/array.ts'
import { Inert } from '../../src-main/formats/inert.ts'
import type { TorchValue } from '../../src-main/formats/torchTree.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { openWeights } from '../../src-main/formats/weights.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { BrainNetwork } from '../../src-main/models/brainNetwork.ts'
import { LowLevelNetwork, lowLevelConfig } from '../../src-main/models/lowLevelNetwork.ts'
import { DiffusionPrior } from '../../src-main/training/diffusionPrior.ts'
import { createHighLevel } from '../../src-main/training/highLevel.ts'
import { inertObjects } from '../../src-main/training/published/checkpoint.ts'
import { convertCheckpoint, converted } from '../../src-main/training/published/convert.ts'
import { countNotFinite, inspectCheckpoint, verifyCheckpoint } from '../../src-main/training/published/report.ts'
import { failure } from '../support/failure.ts'
import { fixturePath } from '../formats/values.ts'

const folder = mkdtempSync(join(tmpdir(), 'published-'))
afterAll(() => rmSync(folder, { recursive: true }))
const options = { signal: new AbortController().signal, progress: () => {} }
const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url).pathname
const official = fixture('checkpoints/last_zip/last.pth')

type Shapes = Record<string, number[]>
/** Names and shapes of all parameters that a network declares. */
function declared(make: (parameters: Parameters) => unknown): Shapes {
  const parameters = new Parameters()
  make(parameters)
  return Object.fromEntries(
    [...parameters].flatMap(({ name, also, shape }) => [name, ...also].map((key) => [key, [...shape]])),
  )
}
let count = 0
/** A file of zeros with these names and shapes. */
function write(shapes: Shapes, change: (tensors: Record<string, NdArray>) => void = () => {}): string {
  const tensors: Record<string, NdArray> = {}
  for (const [name, shape] of Object.entries(shapes))
    tensors[name] = { dtype: 'float32', shape, data: new Float32Array(elementCount(shape)) }
  change(tensors)
  const path = join(folder, `file${count++}.safetensors`)
  writeFileSync(path, encodeSafetensors(tensors))
  return path
}
const renamedAll = (shapes: Shapes, rename: (name: string) => string): Shapes =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [rename(name), shape]))

const brain = { voxels: 9, hidden: 6, blocks: 3, tokens: 5, width: 8, projectorHidden: 12, dropout: [0, 0] } as const
const { dropout: _, ...brainSizes } = brain
const high = {
  ...brainSizes,
  dropoutFirst: 0,
  dropoutBlocks: 0,
  prior: true,
  priorDepth: 2,
  priorHeads: 3,
  priorHeadDim: 4,
}
const { dropoutFirst: _f, dropoutBlocks: _b, ...highSizes } = high
const low = { ...lowLevelConfig(9, true), hidden: 6, features: 8, channels: [32, 64], map: { side: 2, channels: 32 } }
const { dropout: _l, ...lowSizes } = low

const priorSizes = { tokens: 5, width: 8, priorDepth: 2, priorHeads: 3, priorHeadDim: 4 }

const networks: [string, Shapes, object][] = [
  ['high-level', declared((all) => createHighLevel(all, high, 9)), highSizes],
  ['brain-network', declared((all) => new BrainNetwork(all, brain)), brainSizes],
  [
    'prior',
    declared((all) => new DiffusionPrior(all, { tokens: 5, width: 8, depth: 2, heads: 3, headDim: 4 })),
    priorSizes,
  ],
  ['low-level', declared((all) => new LowLevelNetwork(all, low)), lowSizes],
]

describe('networks are known by their names, their sizes by shapes', () => {
  it.each(networks)('%s', async (kind, shapes, sizes) => {
    const path = write(shapes)
    expect(inspectCheckpoint(path)).toMatchObject({ kind, config: sizes, format: 'safetensors', prefix: '' })
    expect(await verifyCheckpoint(path, options)).toMatchObject({ kind, ok: true, known: true })
  })

  it.each([
    ['clip_vision_p14/model', 'clip-vision'],
    ['vae_c16_32/vae', 'autoencoder'],
    ['vae_c8_16_16/vae', 'autoencoder'],
    ['vd_image_unet_c16_32/image_unet', 'image-unet'],
    ['vd_image_unet_c8_16_16/image_unet', 'image-unet'],
  ])('%s, with its config.json or without', async (name, kind) => {
    const weights = ['model', 'diffusion_pytorch_model'].flatMap((stem) => [`${stem}.safetensors`, `${stem}.bin`])
    const path = weights.map((file) => fixture(`hf_models/${name}/${file}`)).find((file) => openable(file))!
    expect(await verifyCheckpoint(path, options)).toMatchObject({ kind, ok: true })
    const alone = join(folder, `${kind}${count++}`)
    writeFileSync(alone, readFileSync(path))
    expect(await verifyCheckpoint(alone, options)).toMatchObject({ kind, ok: true, missing: [], misshaped: [] })
  })

  it('the published sizes have exactly the published numbers of parameters', () => {
    const countOf = (make: (all: Parameters) => unknown) => {
      const all = new Parameters()
      make(all)
      return all.count
    }
    const published = {
      ...brain,
      voxels: 15724,
      hidden: 4096,
      blocks: 4,
      tokens: 257,
      width: 768,
      projectorHidden: 2048,
    }
    const network = { ...published, dropoutFirst: 0.5, dropoutBlocks: 0.15 }
    const prior = { prior: true, priorDepth: 6, priorHeads: 12, priorHeadDim: 64 }
    const buffers = 13 * 100
    expect(countOf((all) => createHighLevel(all, { ...network, ...prior }, 15724)) - buffers).toBe(1_003_635_088)
    expect(countOf((all) => new BrainNetwork(all, published))).toBe(947_579_904)
    expect(countOf((all) => new LowLevelNetwork(all, lowLevelConfig(15724, true)))).toBe(206_065_604)
  })

  it('an official last.pth: parts, parameters, epoch, what stays inert', () => {
    const found = inspectCheckpoint(official)
    expect(found).toMatchObject({
      kind: 'high-level',
      stateDict: 'model_state_dict',
      epoch: 2,
      dtypes: { float32: 49 },
    })
    expect(found.parts.map(({ name, tensors }) => [name, tensors])).toEqual([
      ['noise_scheduler', 13],
      ['net', 22],
      ['voxel2clip', 14],
    ])
    expect(found.others).toEqual([{ name: 'optimizer_state_dict', tensors: 105 }])
    expect(found.inert).toEqual([
      { path: 'lr_scheduler.anneal_func', className: 'torch.optim.lr_scheduler.OneCycleLR._annealing_cos' },
    ])
  })

  it('the rotation that every layer saves counts once', () => {
    const { parameters } = inspectCheckpoint(write(networks[0][1]))
    const all = new Parameters()
    createHighLevel(all, high, 9)
    const buffers = 13 * 100
    expect(parameters).toBe(all.count - buffers)
  })

  it.each([
    ['module.', (name: string) => `module.${name}`],
    ['_orig_mod.module.', (name: string) => `_orig_mod.module.${name}`],
    ['voxel2clip.', (name: string) => `voxel2clip.${name}`],
  ])('names that all begin with %s', async (prefix, rename) => {
    const path = write(renamedAll(networks[1][1], rename))
    expect(inspectCheckpoint(path)).toMatchObject({ kind: 'brain-network', prefix, config: brainSizes })
    expect(await verifyCheckpoint(path, options)).toMatchObject({ ok: true })
  })

  it('the newer names of attention are the same network', async () => {
    const newer: Record<string, string> = { query: 'to_q', key: 'to_k', value: 'to_v', proj_attn: 'to_out.0' }
    const rename = (name: string) =>
      name.replace(/(?<=attentions\.0\.)(query|key|value|proj_attn)/, (part) => newer[part])
    const shapes = renamedAll(networks[3][1], rename)
    expect(Object.keys(shapes).filter((name) => name.includes('to_q')).length).toBeGreaterThan(0)
    expect(await verifyCheckpoint(write(shapes), options)).toMatchObject({ kind: 'low-level', ok: true })
  })

  it('a list that holds itself many times is looked into once', () => {
    const list: TorchValue[] = []
    for (let i = 0; i < 100_000; i++) list.push(list)
    const tree = new Map<TorchValue, TorchValue>([
      ['lists', [...list]],
      ['object', new Inert('some.Class', 'instance')],
    ])
    expect(inertObjects(tree)).toEqual([{ path: 'object', className: 'some.Class' }])
  })

  it('other files are told apart', async () => {
    const path = fixturePath('torch_types.pth')
    expect(inspectCheckpoint(path)).toMatchObject({ kind: 'unknown', tensors: 7, config: {} })
    expect(await verifyCheckpoint(path, options)).toMatchObject({ ok: false, known: false, missing: [], extra: [] })
  })
})

const openable = (path: string): boolean => {
  try {
    openWeights(path).close()
    return true
  } catch {
    return false
  }
}

describe('verify', () => {
  const ofFile = (path: string): Shapes => {
    const { arrays, close } = openWeights(fixture(`hf_models/${path}`))
    close()
    return Object.fromEntries(arrays.map(({ name, shape }) => [name, shape]))
  }
  const publicNetworks: [string, Shapes][] = [
    ['clip-vision', ofFile('clip_vision_p14/model/model.safetensors')],
    ['autoencoder', ofFile('vae_c8_16_16/vae/diffusion_pytorch_model.bin')],
    ['image-unet', ofFile('vd_image_unet_c16_32/image_unet/diffusion_pytorch_model.safetensors')],
  ]
  const every = [...networks.map(([kind, shapes]): [string, Shapes] => [kind, shapes]), ...publicNetworks]
  it.each(every)('%s: any parameter that is missing is named, and nothing else', async (_name, shapes) => {
    const mayMiss = /^noise_scheduler\.|rotary_emb\.freqs$|position_ids$/
    for (const name of Object.keys(shapes).filter((key) => !mayMiss.test(key))) {
      const { [name]: shape, ...rest } = shapes
      const verdict = await verifyCheckpoint(write(rest), options)
      // Without what a network is known by, it is another one, or none.
      if (verdict.known && verdict.missing.length + verdict.extra.length < 3)
        expect(verdict).toMatchObject({
          ...{ ok: false, misshaped: [], extra: [] },
          // Nothing else tells the side of the low-level network's map, or CLIP's patches and outputs.
          missing: [/^lin1\.weight$|position_embedding|visual_projection/.test(name) ? { name } : { name, shape }],
        })
      else expect(verdict.ok, name).toBe(false)
    }
  })

  it('lists missing, extra and misshaped parameters and counts what is not finite', async () => {
    const path = write(networks[1][1], (tensors) => {
      delete tensors['mlp.1.1.bias']
      tensors['lin0.0.weight'] = { dtype: 'float32', shape: [7, 9], data: new Float32Array(63) }
      tensors['head.weight'] = { dtype: 'float16', shape: [2], data: Float16Array.of(NaN, Infinity) }
      const bias = tensors['lin1.bias'].data as Float32Array
      bias.set([NaN, -Infinity, NaN, 3e38])
    })
    expect(await verifyCheckpoint(path, options)).toMatchObject({
      ok: false,
      missing: [{ name: 'mlp.1.1.bias', shape: [6] }],
      misshaped: [{ name: 'lin0.0.weight', expected: [6, 9], found: [7, 9] }],
      extra: [{ name: 'head.weight', shape: [2] }],
      notFinite: [
        { name: 'lin1.bias', nan: 2, infinite: 1 },
        { name: 'head.weight', nan: 1, infinite: 1 },
      ],
    })
  })

  it('tells NaN from infinity in every type', () => {
    const special = Float32Array.of(NaN, Infinity, -Infinity, 0, -0, 1e-40, 3e38, NaN)
    const parts: NdArray[] = [
      { dtype: 'float32', shape: [8], data: special },
      { dtype: 'float64', shape: [8], data: Float64Array.from(special) },
      { dtype: 'bfloat16', shape: [8], data: converted({ dtype: 'float32', shape: [8], data: special }, 'bfloat16') },
      { dtype: 'float16', shape: [8], data: Float16Array.from(special, (x) => (x > 1e38 && x < Infinity ? 1 : x)) },
      { dtype: 'int32', shape: [1], data: Int32Array.of(0x7fc00000) },
    ]
    const counts = parts.map((part) => {
      const found = { nan: 0, infinite: 0 }
      countNotFinite(part, found)
      return [found.nan, found.infinite]
    })
    expect(counts).toEqual([[2, 2], [2, 2], [2, 2], [2, 2], [0, 0]]) // prettier-ignore
  })
})

describe('convert', () => {
  it('keeps names, shapes and every bit, leaves the optimizer out and writes the sizes', async () => {
    const out = join(folder, 'converted')
    const done = await convertCheckpoint({ path: official, out, dtype: 'keep' }, options)
    expect(done).toMatchObject({
      kind: 'high-level',
      tensors: 49,
      leftOut: 105,
      weights: join(out, 'model.safetensors'),
    })
    const [before, after] = [openWeights(official), openWeights(done.weights)]
    const bits = (entry: ArrayEntry) => [entry.name, entry.dtype, entry.shape, [...entry.read().data]]
    const inside = before.arrays.filter(({ name }) => name.startsWith('model_state_dict.'))
    expect(after.arrays.map(bits)).toEqual(
      inside.map((entry) => [entry.name.slice('model_state_dict.'.length), ...bits(entry).slice(1)]),
    )
    expect(JSON.parse(readFileSync(done.config, 'utf8'))).toMatchObject({
      ...{ format: 'mindeye', kind: 'high-level', voxels: 11, hidden: 6, blocks: 2, tokens: 2, width: 8 },
      ...{ prior: true, epoch: 2, source: 'last.pth', validationLosses: [0.5, 0.25] },
    })
    expect(await verifyCheckpoint(done.weights, options)).toMatchObject({ ok: true })
    const again = await failure(convertCheckpoint({ path: official, out, dtype: 'keep' }, options))
    expect(again.message).toContain('nothing is overwritten')
  })

  it('a folder of a public network stays one', async () => {
    const out = join(folder, 'vae', 'weights.safetensors')
    const path = fixture('hf_models/vae_c8_16_16/vae/diffusion_pytorch_model.bin')
    const done = await convertCheckpoint({ path, out, dtype: 'float16' }, options)
    expect(done.weights).toBe(out)
    const config = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as unknown
    expect(config(done.config)).toEqual(config(fixture('hf_models/vae_c8_16_16/vae/config.json')))
    expect(inspectCheckpoint(out).dtypes).toEqual({ float16: 200 })
    expect(await verifyCheckpoint(out, options)).toMatchObject({ ok: true })
  })

  it('strided and expanded tensors, whole numbers and empty ones', async () => {
    const path = fixture('checkpoints/dtypes_zip/dtypes.pth')
    const done = await convertCheckpoint({ path, out: join(folder, 'dtypes'), dtype: 'bfloat16' }, options)
    const after = new Map(openWeights(done.weights).arrays.map((entry) => [entry.name, entry]))
    for (const entry of openWeights(path).arrays) {
      const { dtype, shape } = after.get(entry.name)!
      expect([dtype, shape]).toEqual([/float/.test(entry.dtype) ? 'bfloat16' : entry.dtype, entry.shape])
    }
    expect([...after.get('tensors.bool')!.read().data]).toEqual([
      ...openWeights(path)
        .arrays.find(({ name }) => name === 'tensors.bool')!
        .read().data,
    ])
  })

  it('leaves nothing behind when it is stopped', async () => {
    const out = join(folder, 'stopped')
    const stop = new AbortController()
    const signal = stop.signal
    const stopped = convertCheckpoint({ path: official, out, dtype: 'keep' }, { signal, progress: () => stop.abort() })
    await expect(stopped).rejects.toThrow('aborted')
    expect(openable(join(out, 'model.safetensors'))).toBe(false)
  })

  it('rounds to nearest, ties to even', () => {
    const of = (...data: number[]): NdArray => ({
      dtype: 'float32',
      shape: [data.length],
      data: Float32Array.from(data),
    })
    const bits = (...data: number[]) =>
      [...(converted(of(...data), 'bfloat16') as Uint16Array)].map((x) => x.toString(16))
    // 1 + 2^-8 lies halfway between 1 and 1 + 2^-7; 1 + 3·2^-8 between 1 + 2^-7 and 1 + 2^-6.
    expect(bits(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -2, 3.4e38, NaN)).toEqual([
      ...['3f80', '3f80', '3f82', '3f81', 'c000', '7f80', '7fc0'],
    ])
    const doubles: NdArray = { dtype: 'float64', shape: [2], data: Float64Array.of(1 + 2 ** -11 + 2 ** -40, 1e6) }
    // By way of float32 the first would be a tie and fall to 1.
    expect([...converted(doubles, 'float16')]).toEqual([1 + 2 ** -10, Infinity])
    expect([...converted(doubles, 'float32')]).toEqual([Math.fround(1 + 2 ** -11), 1e6])
  })
})
