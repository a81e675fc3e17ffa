import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { PackReport } from '../../src-main/models/pack.ts'
import type { PackRecord } from '../../src-main/workspace/index.ts'
import { fixtureCases } from '../support/fixtures.ts'
import { ask, mindeye, refusal } from './realCli.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'pack-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const recorded = (name: string) => {
  const [fixture] = fixtureCases('hf_models', (candidate) => candidate === name)
  return join(fixture.folder, fixture.config.folder as string)
}

let folder: string
let count = 0
/** Networks that belong together: the UNet's context is as wide as the tower's tokens, 12. */
beforeEach(() => {
  folder = join(base, `tiny pack ${count++}`)
  fs.cpSync(recorded('clip_vision_p8'), join(folder, 'image_encoder'), { recursive: true })
  fs.cpSync(recorded('vd_image_unet_c16_32'), join(folder, 'image_unet'), { recursive: true })
  fs.cpSync(recorded('vae_c16_32'), join(folder, 'vae'), { recursive: true })
  fs.mkdirSync(join(folder, 'scheduler'))
  const schedule = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear', num_train_timesteps: 1000 }
  fs.writeFileSync(join(folder, 'scheduler', 'scheduler_config.json'), JSON.stringify(schedule))
})

const partOf = (report: PackReport, part: string) => report.parts.find((candidate) => candidate.part === part)!

async function verified(): Promise<{ code: number | null; report: PackReport }> {
  const { code, out } = await mindeye('pack', 'verify', folder, '--json')
  return { code, ...(JSON.parse(out) as { report: PackReport }) }
}

describe('mindeye pack', () => {
  test('verify tells what each part is for, its files, parameters and memory, and what is missing', async () => {
    const { code, report } = await verified()
    expect(code).toBe(0)
    expect(report.folder).toBe(folder)
    const states = Object.fromEntries(report.parts.map(({ part, state }) => [part, state]))
    expect(states).toEqual({
      image_encoder: 'ready',
      image_unet: 'ready',
      vae: 'ready',
      scheduler: 'ready',
      low_level_vae: 'missing',
      teacher: 'missing',
      alexnet: 'missing',
      inception_v3: 'missing',
      efficientnet_b1: 'missing',
      swav: 'missing',
      classifier: 'missing',
    })
    const encoder = partOf(report, 'image_encoder')
    const weights = join('image_encoder', 'pytorch_model.bin')
    const { size } = fs.statSync(join(folder, weights))
    expect(encoder.files[0]).toEqual({ name: weights, bytes: size })
    // 24 wide, 2 layers, MLP 96, 17 tokens, patches 3 x 8 x 8, 12 out: counted by hand from the definition of the tower.
    const block = 4 * (24 * 24 + 24) + 24 * 96 + 96 + 96 * 24 + 24 + 4 * 24
    expect(encoder.parameters).toBe(24 + 24 * 3 * 64 + 17 * 24 + 2 * block + 4 * 24 + 12 * 24)
    expect(encoder.memory).toBeGreaterThan(4 * encoder.parameters)
    expect(partOf(report, 'teacher')).toMatchObject({ place: 'teacher/', files: [], memory: 0 })
    const { out } = await mindeye('pack', 'verify', folder)
    expect(out).toMatch(/image_encoder +ready +19,872/)
    expect(out).toMatch(
      /missing metrics\/alexnet…: AlexNet \(the metrics AlexNet\(2\) and AlexNet\(5\)\); from torchvision/,
    )
  })

  test('a broken part is told by name, ends with 1 and is not registered', async () => {
    const config = join(folder, 'image_encoder', 'config.json')
    const json = JSON.parse(fs.readFileSync(config, 'utf8')) as Record<string, unknown>
    fs.writeFileSync(config, JSON.stringify({ ...json, num_hidden_layers: 3 }))
    fs.writeFileSync(join(folder, 'vae', 'diffusion_pytorch_model.safetensors'), 'version https://git-lfs\noid 1\n')
    const { code, report } = await verified()
    expect(code).toBe(1)
    expect(partOf(report, 'image_encoder')).toMatchObject({ state: 'broken' })
    expect(partOf(report, 'image_encoder').faults).toContain(
      'vision_model.encoder.layers.2.self_attn.q_proj.weight [24,24] is missing',
    )
    expect(partOf(report, 'vae').faults.join()).toContain('git lfs pull')
    expect(partOf(report, 'image_unet').state).toBe('ready')
    const workspace = join(base, 'W-broken')
    const error = await refusal('pack', 'add', folder, '--workspace', workspace)
    expect(error).toMatchObject({ code: 1, where: folder })
    expect(error.found).toMatch(/image_encoder: .*vae: /)
    expect(fs.existsSync(workspace)).toBe(false)
  })

  test('parts of different models do not make a pack', async () => {
    fs.rmSync(join(folder, 'image_encoder'), { recursive: true })
    fs.cpSync(recorded('clip_vision_p14'), join(folder, 'image_encoder'), { recursive: true })
    const { code, report } = await verified()
    expect(code).toBe(1)
    expect(partOf(report, 'image_unet').faults).toEqual([
      'it works on 12 wide tokens, image_encoder has 16: they are of different models',
    ])
  })

  test('add, list, show, remove', async () => {
    const workspace = join(base, 'W')
    const at = ['--workspace', workspace]
    const { pack } = await ask<{ pack: PackRecord }>('pack', 'add', folder, ...at)
    expect(pack).toMatchObject({ folder, parts: ['image_encoder', 'image_unet', 'vae', 'scheduler'] })
    expect(pack.id).toMatch(/^tiny-pack-\d+$/)
    await ask('pack', 'add', folder, '--id', 'second', ...at)
    const { packs } = await ask<{ packs: PackRecord[] }>('pack', 'list', ...at)
    expect(packs.map(({ id }) => id)).toEqual(['demo', 'second', pack.id])

    const show = () => ask<{ pack: PackRecord; changed: boolean }>('pack', 'show', 'second', ...at)
    expect(await show()).toMatchObject({ pack: { folder }, changed: false })
    fs.rmSync(join(folder, 'vae'), { recursive: true })
    expect(await show()).toMatchObject({ changed: true })

    fs.renameSync(folder, `${folder} moved`)
    expect(await show()).toMatchObject({
      pack: { folder },
      problem: expect.stringContaining('no such folder') as string,
    })
    expect(await ask('pack', 'remove', 'second', ...at)).toEqual({ removed: 'second' })
    expect((await refusal('pack', 'show', 'second', ...at)).expected).toBe(`one of demo, ${pack.id}`)
  })

  test('a folder without any part and a missing target are refused', async () => {
    const other = join(base, 'other')
    fs.mkdirSync(other)
    expect(await refusal('pack', 'verify', other)).toMatchObject({
      code: 1,
      where: other,
      found: 'none of them in other',
    })
    expect(await refusal('pack', 'add', '--workspace', base)).toMatchObject({ code: 2, where: 'TARGET' })
    expect(await refusal('pack', 'list')).toMatchObject({ code: 2, where: '--workspace' })
  })
})
