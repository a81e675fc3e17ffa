import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { elementCount } from '../../src-main/formats/array.ts'
import { safetensorsHeader } from '../../src-main/formats/safetensors.ts'
import { AlexNet } from '../../src-main/models/alexNet.ts'
import { ConvNeXt } from '../../src-main/models/convNeXt.ts'
import { openPack, packFingerprint, verifyPack } from '../../src-main/models/pack.ts'
import { autoencoderKind, clipVisionKind, imageUnetKind } from '../../src-main/models/pretrained.ts'
import type { NetworkKind } from '../../src-main/models/pretrained.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'pack-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

let folder: string
let count = 0
beforeEach(() => {
  folder = join(base, `${count++}`)
  fs.mkdirSync(folder)
})

/** A file of weights of the given shapes, all zero, which takes no room on the disk however big it is. */
function writeZeros(path: string, arrays: Iterable<{ name: string; shape: readonly number[] }>): void {
  const tensors = [...arrays].map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const }))
  const header = safetensorsHeader(tensors)
  fs.mkdirSync(join(path, '..'), { recursive: true })
  fs.writeFileSync(path, header)
  fs.truncateSync(path, header.length + tensors.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0))
}

/** A part of published size with its config.json. */
function writePart<C, M>(part: string, kind: NetworkKind<C, M>, json: Record<string, unknown>): void {
  const parameters = new Parameters()
  kind.make(parameters, kind.configOf(json, 'config'))
  writeZeros(join(folder, part, 'model.safetensors'), parameters)
  fs.writeFileSync(join(folder, part, 'config.json'), JSON.stringify(json))
}

const clip = {
  ...{ hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 24, num_attention_heads: 16 },
  ...{ patch_size: 14, projection_dim: 768 },
}
const vae = { _class_name: 'AutoencoderKL', block_out_channels: [128, 256, 512, 512], layers_per_block: 2 }
const part = (name: string) => verifyPack(folder).parts.find((report) => report.part === name)!

function refusal(act: () => unknown): MindEyeError {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(MindEyeError)
    return error as MindEyeError
  }
  throw new Error('nothing was refused')
}

describe('a pack of published size', () => {
  it('is counted and its memory told without loading it', () => {
    writePart('image_encoder', clipVisionKind, clip)
    writePart('image_unet', imageUnetKind, { cross_attention_dim: 768 })
    writePart('vae', autoencoderKind, vae)
    const { parts } = verifyPack(folder)
    const told = Object.fromEntries(
      parts.flatMap(({ part, parameters, memory, faults }) =>
        parameters ? [[part, [parameters, Number((memory / 1e9).toFixed(1)), faults.length]]] : [],
      ),
    )
    // Memory as measured within 15 %: 1.68 GB and 4.46 GB (docs/packs.md).
    expect(told).toEqual({
      image_encoder: [303_966_208, 1.5, 0],
      image_unet: [859_520_964, 4.5, 0],
      vae: [83_653_863, 1.4, 0],
    })
  })
})

describe('parts that are one file', () => {
  it('need no configuration: the autoencoder of the official release, the teacher, a metric’s network', () => {
    const parameters = new Parameters()
    autoencoderKind.make(parameters, autoencoderKind.configOf(vae, 'config'))
    writeZeros(join(folder, 'low_level_vae', 'sd_image_var_autoenc.safetensors'), parameters)
    const teacher = new ConvNeXt({ depths: [1, 1, 2, 1], dims: [8, 16, 32, 64], projector: [12, 12, 12] })
    writeZeros(
      join(folder, 'teacher', 'full.safetensors'),
      [...teacher.parameters].map(({ name, shape }) => ({ name: `model.module.${name}`, shape })),
    )
    const classifier = { name: 'classifier.1.weight', shape: [10, 9216] }
    writeZeros(join(folder, 'metrics', 'alexnet-owt.safetensors'), [...new AlexNet().parameters, classifier])
    for (const name of ['low_level_vae', 'teacher', 'alexnet'])
      expect(part(name), name).toMatchObject({ state: 'ready', faults: [], files: [{}] })
    expect(part('low_level_vae').parameters).toBe(83_653_863)
    expect(part('teacher').parameters).toBe(teacher.parameters.count)
    expect(part('swav').state).toBe('missing')
  })

  it('that are there twice or hold another network are broken', () => {
    const { parameters } = new AlexNet()
    for (const name of ['alexnet.safetensors', 'alexnet-new.safetensors'])
      writeZeros(join(folder, 'metrics', name), parameters)
    writeZeros(join(folder, 'metrics', 'resnet50.safetensors'), parameters)
    expect(part('alexnet').faults).toEqual([
      expect.stringContaining('expected one file of the AlexNet, found alexnet-new.safetensors, alexnet.safetensors'),
    ])
    expect(part('swav').faults).toContain('conv1.weight [64,3,7,7] is missing')
    expect(part('swav').faults).toContain('features.0.weight [64,3,11,11] is extra')
  })
})

describe('the noise schedule', () => {
  const schedule = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' }
  it.each([
    [schedule, []],
    [
      { ...schedule, beta_schedule: 'linear' },
      [expect.stringContaining('beta_schedule: expected one of scaled_linear, squaredcos_cap_v2')],
    ],
    [{ beta_schedule: 'squaredcos_cap_v2', prediction_type: 'v_prediction' }, []],
    [{ ...schedule, beta_end: 0 }, [expect.stringContaining('beta_end: expected more than 0')]],
  ])('%j', (json, faults) => {
    fs.mkdirSync(join(folder, 'scheduler'))
    fs.writeFileSync(join(folder, 'scheduler', 'scheduler_config.json'), JSON.stringify(json))
    expect(part('scheduler').faults).toEqual(faults)
  })
})

describe('an opened pack', () => {
  beforeEach(() => writePart('vae', autoencoderKind, { ...vae, block_out_channels: [32, 32] }))

  it('gives the paths of its parts and says what a missing one is for', () => {
    fs.mkdirSync(join(folder, 'image_encoder')) // an empty folder is nothing
    const pack = openPack(folder)
    expect(pack.pathOf('vae')).toBe(join(folder, 'vae'))
    expect([pack.has('vae'), pack.has('image_encoder')]).toEqual([true, false])
    const { parts } = refusal(() => pack.pathOf('image_encoder'))
    expect(parts).toMatchObject({ kind: 'state', where: folder, field: 'image_encoder/', found: 'nothing' })
    expect(parts.expected).toMatch(/CLIP ViT-L\/14 image tower, needed for .*training/)
    expect(parts.fix).toContain('shi-labs/versatile-diffusion')
  })

  it('takes the autoencoder of diffusion where it has none for the low level', () => {
    const pack = openPack(folder)
    expect(pack.has('low_level_vae')).toBe(true)
    expect(pack.pathOf('low_level_vae')).toBe(join(folder, 'vae'))
    expect(part('low_level_vae').state).toBe('missing')
    writePart('low_level_vae', autoencoderKind, vae)
    expect(pack.pathOf('low_level_vae')).toBe(join(folder, 'low_level_vae'))
  })

  it('has a fingerprint that notices other settings and other weights, and nothing else', () => {
    const before = packFingerprint(folder)
    fs.writeFileSync(join(folder, 'README.md'), 'mine')
    fs.utimesSync(join(folder, 'vae', 'model.safetensors'), 1, 1)
    expect(packFingerprint(folder)).toBe(before)
    fs.appendFileSync(join(folder, 'vae', 'model.safetensors'), 'x')
    const longer = packFingerprint(folder)
    fs.appendFileSync(join(folder, 'vae', 'config.json'), ' ')
    expect(new Set([before, longer, packFingerprint(folder)]).size).toBe(3)
  })

  it('is refused where there is none', () => {
    expect(refusal(() => openPack(join(folder, 'vae'))).parts.found).toBe('none of them in vae')
    expect(refusal(() => openPack(join(folder, 'nowhere'))).parts.found).toBe('no such folder')
  })
})
