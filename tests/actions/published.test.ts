import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Decoded } from '../../src-main/actions/decode.ts'
import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import type { ImportedRun } from '../../src-main/actions/importRun.ts'
import type { Trained } from '../../src-main/actions/train.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { openSafetensors } from '../../src-main/formats/safetensors.ts'
import { openFile } from '../../src-main/formats/source.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { fixtureCases } from '../support/fixtures.ts'
import { saveTinyAutoencoder, saveTinyTeacher } from '../support/tinyNetworks.ts'
import { figures, noise, writeSmallStudy } from '../subjects/support.ts'
import { ask, refusal } from './realCli.ts'

/** A pack with a tiny CLIP, a run that is trained on its targets, and checkpoints of the original code. */
const base = fs.mkdtempSync(join(tmpdir(), 'published-'))
const workspace = join(base, 'workspace')
const V = 24
const [clip] = fixtureCases('hf_models', (name) => name.startsWith('clip_'))
const tower = JSON.parse(
  fs.readFileSync(join(clip.folder, clip.config.folder as string, 'config.json'), 'utf8'),
) as Record<'image_size' | 'patch_size' | 'projection_dim', number>
const sizes = { tokens: 1 + Math.floor(tower.image_size / tower.patch_size) ** 2, width: tower.projection_dim }

async function importStudy(id: string, voxels: number): Promise<void> {
  const folder = join(base, id)
  fs.mkdirSync(folder)
  const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 8)
  const study = { train: shown(24), test: shown(8), V: voxels, side: 16, figures: figures(8, 16) }
  await ask('import', writeSmallStudy(folder, study).path, '--workspace', workspace, '--as', id)
}

let trained: Trained
beforeAll(async () => {
  await loadBackend()
  await importStudy('s', V)
  const pack = join(base, 'tiny')
  fs.cpSync(join(clip.folder, clip.config.folder as string), join(pack, 'image_encoder'), { recursive: true })
  await ask('pack', 'add', pack, '--workspace', workspace)
  const options = {
    ...{ targets: 'clip', ...sizes, hidden: 24, projectorHidden: 32, augment: true, epochs: 3, batchSize: 8 },
    ...{ prior: true, priorDepth: 1, priorHeads: 2, priorHeadDim: 8, regressionWeight: 0 },
  }
  const set = Object.entries(options).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const common = ['--workspace', workspace, '--subject', 's', '--split', 'shipped', '--pack', 'tiny']
  trained = await ask<Trained>('train', ...common, ...set)
}, 120_000)
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const onRun = (run: string) => ['--workspace', workspace, '--run', run]
const modelOf = (run: string) => join(workspace, 'runs', run, 'folds', '0', 'model.safetensors')

describe('a run on CLIP targets with the prior', () => {
  test('has the official names, a config.json and both losses', () => {
    const file = openSafetensors(openFile(modelOf(trained.run)))
    const names = file.arrays.map(({ name }) => name)
    file.close()
    for (const name of ['net.learned_query', 'voxel2clip.lin0.0.weight', 'noise_scheduler.betas'])
      expect(names).toContain(name)
    const config = JSON.parse(fs.readFileSync(join(modelOf(trained.run), '..', 'config.json'), 'utf8')) as object
    expect(config).toMatchObject({ format: 'mindeye', kind: 'high-level', voxels: V, ...sizes, priorDepth: 1 })
    const lines = fs
      .readFileSync(join(workspace, 'runs', trained.run, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
    expect(lines).toHaveLength(9) // 24 trials in batches of 8, three times
    for (const line of lines) {
      const { nce, prior, loss } = JSON.parse(line) as Record<string, number>
      expect(prior).toBeGreaterThan(0)
      expect(loss).toBeCloseTo(nce + 30 * prior, 2)
    }
  })

  test('is scored, and decodes new trials with the tower of its pack', async () => {
    const scores = await ask<Evaluation>('evaluate', ...onRun(trained.run))
    expect(scores.trials).toBe(8)
    const voxels = join(base, 'new.npy')
    const data = Float32Array.from(noise(3 * V, 1))
    fs.writeFileSync(voxels, encodeNpy({ dtype: 'float32', shape: [3, V], data }))
    const decoded = await ask<Decoded>('decode', voxels, ...onRun(trained.run))
    expect(decoded).toMatchObject({ trials: 3, width: sizes.tokens * sizes.width, gallery: { images: 8 } })
  })

  test('is refused without a pack, with one of another width, and when the pack has changed', async () => {
    const train = ['train', '--workspace', workspace, '--subject', 's', '--set', 'targets=clip']
    expect(await refusal(...train)).toMatchObject({ code: 1, where: '--pack', found: 'none' })
    const other = await refusal(...train, '--pack', 'tiny', '--set', `tokens=${sizes.tokens}`, '--set', 'width=7')
    expect(other).toMatchObject({ where: '--pack' })
    expect(other.expected).toContain(`${sizes.tokens} tokens of 7`)
    const config = join(base, 'tiny', 'image_encoder', 'config.json')
    const before = fs.readFileSync(config)
    fs.writeFileSync(config, `${before.toString()} `)
    expect(await refusal(...train, '--pack', 'tiny')).toMatchObject({ where: 'pack tiny' })
    fs.writeFileSync(config, before)
  })
})

describe('a low-level run', () => {
  const small = { hidden: 24, blocks: 1, mapSide: 2, upsamplerWidth: 32, features: 12, epochs: 2, items: 'trial' }
  const set = Object.entries(small).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const train = ['train', '--workspace', workspace, '--subject', 's', '--preset', 'paper-low-level', ...set]

  test('learns latents of a pack’s autoencoder, and is scored on them', async () => {
    const pack = join(base, 'low')
    saveTinyAutoencoder(join(pack, 'low_level_vae'))
    fs.mkdirSync(join(pack, 'teacher'))
    saveTinyTeacher(join(pack, 'teacher', 'teacher.safetensors'))
    await ask('pack', 'add', pack, '--workspace', workspace)
    const { run, parameters } = await ask<Trained>(...train, '--split', 'shipped', '--pack', 'low')
    const config = JSON.parse(fs.readFileSync(join(modelOf(run), '..', 'config.json'), 'utf8')) as object
    expect(config).toMatchObject({ kind: 'low-level', voxels: V, map: { side: 2, channels: 32 }, features: 12 })
    const lines = fs
      .readFileSync(join(workspace, 'runs', run, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
    for (const line of lines) {
      const { loss, l1, contrast } = JSON.parse(line) as Record<string, number>
      expect(loss).toBeCloseTo(l1 / 0.18215 + 0.1 * contrast, 4)
    }
    expect(await ask<Evaluation>('evaluate', ...onRun(run))).toMatchObject({ trials: 8, pool: 8 })
    const imported = await ask<ImportedRun>(
      ...['runs', 'import', modelOf(run), '--workspace', workspace, '--subject', 's', '--pack', 'low'],
    )
    expect(imported).toMatchObject({ parameters, embedded: 8 })
  })

  test('is refused without a pack, and with a teacher of other tokens', async () => {
    expect(await refusal(...train)).toMatchObject({ where: '--pack', found: 'none' })
    expect(await refusal(...train, '--pack', 'tiny')).toMatchObject({ field: 'low_level_vae/' })
    const other = await refusal(...train, '--pack', 'low', '--set', 'features=13')
    expect(other).toMatchObject({ where: 'teacher', found: '4 of 12' })
  })
})

describe('runs import', () => {
  test('a model of ours comes back and is scored on the same images', async () => {
    const imported = await ask<ImportedRun>(
      ...['runs', 'import', modelOf(trained.run), '--workspace', workspace, '--subject', 's', '--pack', 'tiny'],
      ...['--zscore', 'train'],
    )
    expect(imported).toMatchObject({ subject: 's', parameters: trained.parameters, embedded: 8 })
    const [own, again] = await Promise.all(
      [trained.run, imported.run].map((run) => ask<Evaluation>('evaluate', ...onRun(run))),
    )
    // Averaged over a stimulus' trials, as the paper tests; the run itself was tested trial by trial.
    expect(again.retrieval.brain.top1.n).toBe(own.retrieval.brain.top1.n)
    expect(again.pool).toBe(own.pool)
  })

  test.each(['last_zip', 'last_legacy'])('the original code’s %s becomes a run', async (name) => {
    const [{ folder, config, tensors }] = fixtureCases('checkpoints', (candidate) => candidate === name)
    const voxels = tensors.get('model.voxel2clip.lin0.0.weight')!.shape[1]
    await importStudy(name, voxels)
    const file = join(folder, config.file as string)
    const imported = await ask<ImportedRun>('runs', 'import', file, '--workspace', workspace, '--subject', name)
    expect(imported).toMatchObject({ subject: name, epoch: config.epoch, embedded: 0 })
    const stored = openSafetensors(openFile(modelOf(imported.run)))
    for (const array of stored.arrays)
      expect(array.read().data, array.name).toEqual(tensors.get(`model.${array.name}`)!.data)
    stored.close()
    expect(await refusal('evaluate', ...onRun(imported.run))).toMatchObject({ found: 'none' })

    const voxelsFile = join(base, `${name}.npy`)
    fs.writeFileSync(voxelsFile, encodeNpy({ dtype: 'float32', shape: [1, voxels], data: new Float32Array(voxels) }))
    expect(await refusal('decode', voxelsFile, ...onRun(imported.run))).toMatchObject({ where: '--pack' })

    const other = await refusal('runs', 'import', file, '--workspace', workspace, '--subject', 's')
    expect(other).toMatchObject({ expected: `${V} voxels, as subject s has`, found: `${voxels}` })
  })
})
