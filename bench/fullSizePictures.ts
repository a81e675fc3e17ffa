/**
 * The whole way from voxels to a picture once, with random networks of the published sizes in the public layout: low, high and combined picture
 * of one pattern of subject 1, one candidate, within 24 GB of resident memory. `npm run fullsize:pictures [-- --steps 2 --keep DIR]`
 * leaves the networks (10 GB) in DIR, where a second call finds them.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBackend } from '../src-main/engine/backend.ts'
import { denoiserSizes } from '../src-main/models/loadDenoiser.ts'
import { LowLevelNetwork } from '../src-main/models/lowLevelNetwork.ts'
import { openPack } from '../src-main/models/pack.ts'
import type { NetworkKind } from '../src-main/models/pretrained.ts'
import { autoencoderKind, clipVisionKind, imageUnetKind } from '../src-main/models/pretrained.ts'
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { saveModel } from '../src-main/nn/stateFile.ts'
import { seededNoise } from '../src-main/reconstruction/noise.ts'
import type { PictureOptions } from '../src-main/reconstruction/pipeline.ts'
import { makePictures } from '../src-main/reconstruction/pipeline.ts'
import { foldFiles } from '../src-main/training/foldFiles.ts'
import { foldFolder } from '../src-main/training/foldTest.ts'
import { createHighLevel } from '../src-main/training/highLevel.ts'
import { lowLevelSizes } from '../src-main/training/lowLevelConfig.ts'
import { presetConfig } from '../src-main/training/presets.ts'
import { statusMb } from './measure.ts'

const VOXELS = 15_724
const MOST_MB = 24_000_000_000 / 2 ** 20
const SCALING_FACTOR = 0.18215

const { values: given } = parseArgs({ options: { keep: { type: 'string' }, steps: { type: 'string', default: '2' } } })
const folder = given.keep ?? mkdtempSync(join(tmpdir(), 'mindeye-fullsize-'))
const [highConfig, lowConfig] = [presetConfig('paper-subj01'), presetConfig('paper-low-level')]

/** Saves a network with random parameters, unless a former call has. */
function saveRandom(path: string, declare: (parameters: Parameters) => unknown): void {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  const parameters = new Parameters()
  declare(parameters)
  parameters.initialise(new Random(0))
  saveModel(path, parameters)
  console.log(`${path}: ${parameters.count.toLocaleString('en')} numbers`)
  parameters.dispose()
}

/** A part of a pack with random parameters. */
function savePart<C, M>(part: string, kind: NetworkKind<C, M>, json: Record<string, unknown>): void {
  const place = join(folder, 'pack', part)
  saveRandom(join(place, 'model.safetensors'), (parameters) => kind.make(parameters, kind.configOf(json, part)))
  writeFileSync(join(place, 'config.json'), JSON.stringify(json))
}

function saveAll(): void {
  savePart('image_encoder', clipVisionKind, {
    ...{ hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 24, num_attention_heads: 16 },
    ...{ patch_size: 14, projection_dim: 768, hidden_act: 'quick_gelu' },
  })
  savePart('image_unet', imageUnetKind, { cross_attention_dim: 768, sample_size: 64 })
  savePart('vae', autoencoderKind, { block_out_channels: [128, 256, 512, 512], layers_per_block: 2 })
  const scheduler = join(folder, 'pack', 'scheduler')
  mkdirSync(scheduler, { recursive: true })
  const schedule = { beta_schedule: 'scaled_linear', beta_start: 0.00085, beta_end: 0.012 }
  writeFileSync(join(scheduler, 'scheduler_config.json'), JSON.stringify(schedule))
  saveRandom(modelOf('high'), (parameters) => createHighLevel(parameters, highConfig, VOXELS))
  saveRandom(modelOf('low'), (parameters) => new LowLevelNetwork(parameters, lowLevelSizes(lowConfig, VOXELS)))
}

const modelOf = (run: string) => foldFiles(foldFolder(join(folder, run), 0)).model

try {
  await loadBackend()
  saveAll()
  console.log(`networks made: resident peak ${statusMb('VmHWM').toFixed(0)} MB`)
  // From here on the peak is that of the pictures.
  writeFileSync('/proc/self/clear_refs', '5')

  const random = new Random(1)
  const voxels = Float32Array.from({ length: VOXELS }, () => random.normal())
  const options: PictureOptions = {
    ...{ kinds: ['low', 'high', 'combined'], strength: 0.85, guidance: 3.5, candidates: 1 },
    steps: Number(given.steps),
  }
  const pack = openPack(join(folder, 'pack'))
  const denoiser = denoiserSizes(pack.pathOf('image_unet'))
  const { latentSide: side, latentChannels: channels } = denoiser
  const noise = seededNoise(42, { candidates: 1, tokens: 257, width: 768, side, channels })
  const started = performance.now()
  const since = () => `${((performance.now() - started) / 1000).toFixed(0)} s, ${statusMb('VmHWM').toFixed(0)} MB`
  const [{ kinds, stages }] = await makePictures(
    {
      pack,
      low: { runFolder: join(folder, 'low'), config: lowConfig, scalingFactor: SCALING_FACTOR },
      diffusion: { run: { runFolder: join(folder, 'high'), config: highConfig }, denoiser, noise },
    },
    { highFold: 0, lowFold: 0, inputs: [{ trial: 0, high: voxels, low: voxels }] },
    options,
    { step: (message) => console.log(`${message} (${since()})`) },
  )
  for (const [kind, { candidates, scores }] of Object.entries(kinds)) {
    const [{ height, width, data }] = candidates
    assert(data.every(Number.isFinite) && Number.isFinite(scores[0]), `${kind}: finite numbers`)
    console.log(`${kind}: ${height} x ${width}, score ${scores[0].toFixed(3)}`)
  }
  for (const [name, { shape }] of Object.entries(stages)) console.log(`${name}: [${shape.join(', ')}]`)
  console.log(`all: ${since()} resident at the peak`)
  assert(statusMb('VmHWM') < MOST_MB, `resident peak ${statusMb('VmHWM').toFixed(0)} MB, more than 24 GB`)
} finally {
  if (!given.keep) rmSync(folder, { recursive: true, force: true })
}
