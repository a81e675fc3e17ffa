/**
 * Full-size random models of subject 1, one after another: created, saved, inspected, loaded and asked for one prediction, within
 * 20 GB of resident memory. `npm run fullsize [-- --keep DIR]` leaves the files in DIR.
 */
import * as tf from '@tensorflow/tfjs-core'
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeFileAtomic } from '../src-main/base/files.ts'
import { loadBackend } from '../src-main/engine/backend.ts'
import { elementCount } from '../src-main/formats/array.ts'
import { openSafetensors } from '../src-main/formats/safetensors.ts'
import { openFile } from '../src-main/formats/source.ts'
import { BrainNetwork } from '../src-main/models/brainNetwork.ts'
import { LowLevelNetwork, lowLevelConfig } from '../src-main/models/lowLevelNetwork.ts'
import { PriorNetwork } from '../src-main/models/priorNetwork.ts'
import { numbersOf } from '../src-main/nn/numbers.ts'
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { loadModel, saveModel } from '../src-main/nn/stateFile.ts'
import { statusMb } from './measure.ts'

const [VOXELS, TOKENS, WIDTH] = [15_724, 257, 768]
const MOST_MB = 20_000_000_000 / 2 ** 20

interface Model {
  name: string
  parameters: number
  config: object
  /** Declares the parameters; returns one prediction, off the tape. */
  create(parameters: Parameters): () => tf.Tensor
}

const random = new Random(0)
const normal = (shape: number[], name: string) => {
  const stream = random.split('input', name)
  return tf.tensor(
    Float32Array.from({ length: elementCount(shape) }, () => stream.normal()),
    shape,
  )
}

const sizes = { voxels: VOXELS, hidden: 4096, blocks: 4, tokens: TOKENS, width: WIDTH, projectorHidden: 2048 }
const brain = { ...sizes, dropout: [0.5, 0.15] } as const
const prior = { tokens: TOKENS, width: WIDTH, depth: 6, heads: 12, headDim: 64 }
const lowLevel = lowLevelConfig(VOXELS, true)

const models: readonly Model[] = [
  {
    name: 'voxel2clip',
    parameters: 947_579_904,
    config: brain,
    create(parameters) {
      const network = new BrainNetwork(parameters, brain)
      return () => network.forward(normal([1, VOXELS], 'voxels') as tf.Tensor2D).projected!
    },
  },
  {
    name: 'prior',
    parameters: 56_055_184,
    config: prior,
    create(parameters) {
      const network = new PriorNetwork(parameters, prior)
      const embedding = (name: string) => normal([1, TOKENS, WIDTH], name) as tf.Tensor3D
      return () => network.forward({ image: embedding('image'), brain: embedding('brain'), times: [99] })
    },
  },
  {
    name: 'low level',
    parameters: 206_065_604,
    config: lowLevel,
    create(parameters) {
      const network = new LowLevelNetwork(parameters, lowLevel)
      return () => network.forward(normal([1, VOXELS], 'voxels') as tf.Tensor2D).latent
    },
  },
]

/** Makes a model, fills it, predicts, and frees it. */
function withModel(model: Model, fill: (parameters: Parameters) => void): Float32Array {
  const parameters = new Parameters()
  const predict = model.create(parameters)
  assert.equal(parameters.count, model.parameters)
  fill(parameters)
  const prediction = numbersOf(predict)
  assert(prediction.every(Number.isFinite), `${model.name} predicts finite numbers`)
  parameters.dispose()
  return prediction
}

function check(model: Model, folder: string): void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'model.safetensors')
  const created = withModel(model, (parameters) => {
    parameters.initialise(random)
    saveModel(path, parameters)
    writeFileAtomic(join(folder, 'config.json'), Buffer.from(JSON.stringify(model.config)))
  })
  const file = openSafetensors(openFile(path))
  const numbers = file.arrays.reduce((sum, { shape }) => sum + elementCount(shape), 0)
  file.close()
  assert(numbers >= model.parameters, `${path} holds every parameter`)
  const loaded = withModel(model, (parameters) => void loadModel(path, parameters))
  assert.deepEqual(loaded, created, `${model.name} predicts the same once saved and loaded`)
  console.log(
    `${model.name}: ${model.parameters.toLocaleString('en')} parameters in ${file.arrays.length} arrays, ` +
      `${(statSync(path).size / 1e9).toFixed(2)} GB; ${created.length} numbers predicted; ` +
      `resident peak so far ${statusMb('VmHWM').toFixed(0)} MB`,
  )
}

const { values: options } = parseArgs({ options: { keep: { type: 'string' } } })
const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'mindeye-fullsize-'))
try {
  await loadBackend()
  for (const model of models) check(model, join(folder, model.name.replace(' ', '-')))
  assert(statusMb('VmHWM') < MOST_MB, `resident peak ${statusMb('VmHWM').toFixed(0)} MB, more than 20 GB`)
} finally {
  if (!options.keep) rmSync(folder, { recursive: true, force: true })
}
