import * as tf from '@tensorflow/tfjs-core'
import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Reconstruction } from '../../src-main/actions/reconstruct.ts'
import type { Trained } from '../../src-main/actions/train.ts'
import { NoiseTable, scaledLinearBetas } from '../../src-main/diffusion/tables.ts'
import { UniPC } from '../../src-main/diffusion/unipc.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { nodeBinary } from '../../src-main/engine/channel.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { elementCount } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { sampleLatents } from '../../src-main/models/autoencoderKl.ts'
import { loadAutoencoderKl, loadImageUnet } from '../../src-main/models/pretrained.ts'
import { CLIP_NORMALIZATION } from '../../src-main/nn/image/colour.ts'
import { Random } from '../../src-main/nn/random.ts'
import { cosine } from '../../src-main/reconstruction/choose.ts'
import { findSet, readPicture, readTrial } from '../../src-main/reconstruction/sets.ts'
import { ClipEncoder } from '../../src-main/training/clipEncoder.ts'
import { readArrays } from '../../src-main/training/foldFiles.ts'
import { expectClose } from '../support/fixtures.ts'
import { tinyPack, writeTinyPack } from '../support/tinyPack.ts'
import { figures, writeSmallStudy } from '../subjects/support.ts'
import { ask, refusal } from './realCli.ts'

/** Two runs on a tiny pack in the public layout: voxel2clip with the prior, and the low-level network. */
const base = fs.mkdtempSync(join(tmpdir(), 'reconstruct-'))
const workspace = join(base, 'workspace')
const packFolder = join(base, 'tiny')
const { tokens: T, width: D, latentSide: side, latentChannels: L, pictureSide } = tinyPack
const K = 2

let high: string
let low: string
beforeAll(async () => {
  await loadBackend()
  writeTinyPack(packFolder)
  const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 8)
  const study = { train: shown(24), test: shown(8), V: 24, side: 16, figures: figures(8, 16) }
  await ask('import', writeSmallStudy(base, study).path, '--workspace', workspace, '--as', 's')
  await ask('pack', 'add', packFolder, '--workspace', workspace)
  const set = (options: object) => Object.entries(options).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const common = ['--workspace', workspace, '--subject', 's', '--split', 'shipped', '--pack', 'tiny']
  const ofHigh = {
    ...{ targets: 'clip', tokens: T, width: D, hidden: 24, projectorHidden: 32, epochs: 2, batchSize: 8 },
    ...{ prior: true, priorDepth: 1, priorHeads: 2, priorHeadDim: 8, regressionWeight: 0 },
  }
  const ofLow = { hidden: 24, blocks: 1, upsamplerWidth: 32, contrast: false, epochs: 2, items: 'trial' }
  high = (await ask<Trained>('train', ...common, ...set(ofHigh))).run
  low = (await ask<Trained>('train', ...common, '--preset', 'paper-low-level', ...set(ofLow))).run
}, 240_000)
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const runFolder = (run: string) => join(workspace, 'runs', run)
const onRun = (run: string, ...more: string[]) => ['reconstruct', '--workspace', workspace, '--run', run, ...more]

const random = new Random(11)
const normalArray = (shape: number[]): NdArray => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from({ length: elementCount(shape) }, () => random.normal()),
})
const recorded = {
  prior_start: normalArray([K, T, D]),
  prior_steps: normalArray([100, K, T, D]),
  encoding: normalArray([1, L, side, side]),
  start: normalArray([K, L, side, side]),
}
const latentTensor = ({ data, shape }: NdArray) =>
  tf.transpose(tf.tensor4d(data as Float32Array, shape as [number, number, number, number]), [0, 2, 3, 1])
const tensorOf = ({ data, shape }: NdArray) => tf.tensor(data as Float32Array, shape)
const close = { atol: 2e-5, rtol: 2e-4 }

test('a low-level run takes its sizes from the pack', () => {
  const { config } = JSON.parse(fs.readFileSync(join(runFolder(low), 'run.json'), 'utf8')) as {
    config: { training: Record<string, unknown> }
  }
  expect(config.training).toMatchObject({ mapSide: 2, latentChannels: 4 })
})

describe('pictures of one trial, with recorded noise', () => {
  const noise = join(base, 'noise.safetensors')
  let made: Reconstruction
  let stages: Map<string, NdArray>
  beforeAll(async () => {
    fs.writeFileSync(noise, encodeSafetensors(recorded))
    const options = ['--low-run', low, '--samples', `${K}`, '--steps', '10', '--trials', '26', '--noise', noise]
    made = await ask<Reconstruction>(...onRun(high, ...options))
    stages = readArrays(join(made.folder, '26', 'stages.safetensors'))
  }, 120_000)

  test('are there in each kind, with their candidates', () => {
    expect(made).toMatchObject({ run: high, trials: 1, made: 1 })
    expect(Object.keys(made.scores)).toEqual(['low', 'high', 'combined'])
    const set = findSet(runFolder(high), made.set)
    expect(set.trials).toEqual([26])
    const { kinds, stimulus, fold } = readTrial(set, 26)
    expect({ stimulus, fold }).toEqual({ stimulus: expect.stringMatching(/./) as string, fold: 0 })
    expect([kinds.low!.scores.length, kinds.high!.scores.length, kinds.combined!.scores.length]).toEqual([1, K, K])
    for (const kind of set.kinds) {
      const { height, width, data } = readPicture(set, 26, kind)
      expect([height, width, data.length]).toEqual([pictureSide, pictureSide, pictureSide ** 2 * 3])
      expect(data.every((value) => value >= 0 && value <= 1)).toBe(true)
    }
    expect(readPicture(set, 26, 'high').data).not.toEqual(readPicture(set, 26, 'combined').data)
  })

  test('samples are in units of their class token', () => {
    const { data } = stages.get('samples')!
    for (let k = 0; k < K; k++) {
      const token = (data as Float32Array).subarray(k * T * D, k * T * D + D)
      expect(Math.hypot(...token)).toBeCloseTo(1, 4)
    }
  })

  test('begin at the blurry picture, unclamped and scaled as for CLIP', () => {
    const { model, parameters } = loadAutoencoderKl(join(packFolder, 'vae'))
    const { mean, std } = CLIP_NORMALIZATION
    const expected = tf.tidy(() => {
      const latent = tf.reshape(tensorOf(stages.get('low_latent')!), [1, side, side, L])
      const blurry = tf.add(tf.div(model.decode(tf.div(latent, 0.18215)), 2), 0.5)
      expect(Math.min(...blurry.dataSync())).toBeLessThan(0) // so that clamping would show
      const scaled = tf.div(tf.sub(blurry, tf.tensor1d([...mean])), tf.tensor1d([...std])) as tf.Tensor4D
      return tf.mul(sampleLatents(model.encode(scaled), latentTensor(recorded.encoding)), 0.18215)
    })
    expectClose(stages.get('start')!.data as Float32Array, expected.dataSync(), close, 'start')
    parameters.dispose()
  })

  test.each([
    { kind: 'high', first: 0 },
    { kind: 'combined', first: 10 - Math.trunc(10 * 0.85) },
  ] as const)('$kind: latents, pictures and scores follow from the stages before', ({ kind, first }) => {
    // The original pipeline: one batch of all unconditional and all conditional latents.
    const { model, parameters } = loadImageUnet(join(packFolder, 'image_unet'))
    const table = new NoiseTable(scaledLinearBetas(0.00085, 0.012, 1000))
    const scheduler = new UniPC(table)
    scheduler.setTimesteps(10)
    const embeddings = tensorOf(stages.get('samples')!) as tf.Tensor3D
    const context = tf.concat([tf.zerosLike(embeddings), embeddings]) as tf.Tensor3D
    const timesteps = scheduler.timesteps.slice(first)
    const noise = latentTensor(recorded.start)
    let x: tf.Tensor = noise
    if (kind === 'combined') x = table.addNoise(tensorOf(stages.get('start')!), noise, timesteps[0])
    for (const t of timesteps) {
      const [u, c] = tf.split(model.forward(tf.concat([x, x]) as tf.Tensor4D, t, context), 2)
      x = scheduler.step(tf.add(u, tf.mul(tf.sub(c, u), 3.5)), t, x)
    }
    parameters.dispose()
    const latents = stages.get(`${kind}_latents`)!
    expectClose(latents.data as Float32Array, x.dataSync(), { atol: 5e-4, rtol: 2e-3 }, 'latents')

    const autoencoder = loadAutoencoderKl(join(packFolder, 'vae'))
    const pictures = tf.tidy(() => {
      const decoded = autoencoder.model.decode(tf.div(tensorOf(latents), 0.18215) as tf.Tensor4D)
      return tf.clipByValue(tf.add(tf.div(decoded, 2), 0.5), 0, 1) as tf.Tensor4D
    })
    const set = findSet(runFolder(high), made.set)
    const { chosen, scores } = readTrial(set, 26).kinds[kind]!
    expectClose(
      readPicture(set, 26, kind).data,
      tf.slice(pictures, [chosen, 0, 0, 0], [1]).dataSync(),
      close,
      'the chosen picture',
    )
    const encoder = new ClipEncoder(join(packFolder, 'image_encoder'))
    const own = encoder.embed(pictures).dataSync<'float32'>()
    const projected = stages.get('projected')!.data as Float32Array
    for (const [k, score] of scores.entries())
      expect(score).toBeCloseTo(cosine(own.subarray(k * T * D, (k + 1) * T * D), projected), 4)
    expect(scores[chosen]).toBe(Math.max(...scores))
    encoder.dispose()
    autoencoder.parameters.dispose()
  })

  test('noise of other shapes is refused with both shapes', async () => {
    const options = ['--low-run', low, '--samples', '3', '--noise', noise]
    expect(await refusal(...onRun(high, ...options))).toMatchObject({
      ...{ kind: 'input', where: noise, field: 'prior_start' },
      ...{ expected: `float32 [3, ${T}, ${D}]`, found: `float32 [2, ${T}, ${D}]` },
    })
  })
})

/** Every byte below a folder but the times that trials took. */
function contents(folder: string): Record<string, string> {
  const files = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return Object.fromEntries(
    files
      .filter((name) => fs.statSync(join(folder, name)).isFile() && name !== 'settings.json')
      .map((name) => {
        const bytes = fs.readFileSync(join(folder, name))
        return [
          name,
          name.endsWith('.json') ? bytes.toString().replace(/"seconds": [\d.]+/, '') : bytes.toString('base64'),
        ]
      }),
  )
}

const cli = fileURLToPath(new URL('../../src-main/hosts/cli.ts', import.meta.url))

describe('all held-out trials', () => {
  test('killed on the way, go on to the same bits; finished trials stay untouched', async () => {
    const trials = ['24', '25', '26', '29']
    const options = ['--low-run', low, '--steps', '6', '--kind', 'combined', '--trials', `${trials}`]
    const whole = await ask<Reconstruction>(...onRun(high, ...options))
    expect(whole).toMatchObject({ trials: 4, made: 4 })
    expect(Object.keys(whole.scores)).toEqual(['combined'])
    const expected = contents(whole.folder)
    fs.rmSync(whole.folder, { recursive: true })

    // Two trials are there when the command begins that will be killed; it dies in the midst of the others.
    await ask(...onRun(high, ...options.slice(0, -1), '24,29'))
    const before = fs.statSync(join(whole.folder, '24', 'result.json')).mtimeMs
    const child = spawn(nodeBinary(), [cli, ...onRun(high, ...options)], { stdio: ['ignore', 'ignore', 'pipe'] })
    await new Promise<void>((resolve) => {
      child.stderr.on('data', (text: Buffer) => {
        if (text.toString().includes('combined')) resolve()
      })
      child.on('close', () => resolve())
    })
    child.kill('SIGKILL')
    await new Promise((resolve) => child.on('close', resolve))

    const again = await ask<Reconstruction>(...onRun(high, ...options))
    expect(again).toMatchObject({ set: whole.set, trials: 4 })
    expect(again.made).toBeGreaterThan(0)
    expect(contents(again.folder)).toEqual(expected)
    expect(fs.statSync(join(whole.folder, '24', 'result.json')).mtimeMs).toBe(before)
    expect(await ask<Reconstruction>(...onRun(high, ...options))).toMatchObject({ trials: 4, made: 0 })
  }, 480_000)

  test('of a low-level run are its pictures alone', async () => {
    const { set, scores } = await ask<Reconstruction>(...onRun(low))
    expect(scores).toEqual({ low: null })
    const record = findSet(runFolder(low), set)
    expect([record.kinds, record.trials]).toEqual([['low'], [24, 25, 26, 27, 28, 29, 30, 31]])
    expect(record.settings).not.toHaveProperty('steps')

    // A run of before an option was there has its default.
    const path = join(runFolder(low), 'run.json')
    const run = JSON.parse(fs.readFileSync(path, 'utf8')) as { config: { training: Record<string, unknown> } }
    expect(run.config.training).toHaveProperty('latentChannels', 4)
    delete run.config.training.latentChannels
    fs.writeFileSync(path, JSON.stringify(run))
    const made = contents(record.folder)
    fs.rmSync(record.folder, { recursive: true })
    expect(await ask<Reconstruction>(...onRun(low))).toMatchObject({ set, made: 8 })
    expect(contents(record.folder)).toEqual(made)
  }, 120_000)
})

describe('what does not fit is refused before anything is computed', () => {
  test.each([
    { title: 'a kind without its run', args: () => onRun(high, '--kind', 'all'), parts: { where: '--low-run' } },
    {
      title: 'the high kind of a low-level run',
      args: () => onRun(low, '--kind', 'high'),
      parts: { found: /low-level/ },
    },
    {
      title: 'a run that is no low-level one',
      args: () => onRun(high, '--low-run', high),
      parts: { where: '--low-run', found: /mindeye/ },
    },
    {
      title: 'a trial that was trained on',
      args: () => onRun(high, '--trials', '3'),
      parts: { where: '--trials', found: '3' },
    },
    {
      title: 'a strength without a step',
      args: () => onRun(high, '--low-run', low, '--strength', '0.01'),
      parts: { where: '--strength', found: '0.01' },
    },
    {
      title: 'an area of a subject without any',
      args: () => onRun(high, '--without', 'V1'),
      parts: { where: '--without' },
    },
  ])('$title', async ({ args, parts }) => {
    const error = (await refusal(...args())) as unknown as Record<string, string>
    for (const [name, value] of Object.entries(parts)) expect(error[name]).toMatch(value as string | RegExp)
  })
})
