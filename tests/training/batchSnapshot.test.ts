import * as tf from '@tensorflow/tfjs-core'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { openSafetensors } from '../../src-main/formats/safetensors.ts'
import { openFile } from '../../src-main/formats/source.ts'
import { LowLevelNetwork } from '../../src-main/models/lowLevelNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import type { BatchFacts } from '../../src-main/training/batchSnapshot.ts'
import { batchFile, BatchSnapshots } from '../../src-main/training/batchSnapshot.ts'
import type { TrainingOptions } from '../../src-main/training/fields.ts'
import { createHighLevel } from '../../src-main/training/highLevel.ts'
import { mixRows, normaliseRows, softContrast } from '../../src-main/training/losses.ts'
import { LowLevelTrainer } from '../../src-main/training/lowLevel.ts'
import { latentSide, lowLevelOptions, lowLevelSizes } from '../../src-main/training/lowLevelConfig.ts'
import { LowLevelPlan } from '../../src-main/training/lowLevelPlan.ts'
import { TrainingPlan } from '../../src-main/training/plan.ts'
import { fixedTargets } from '../../src-main/training/targets.ts'
import { Trainer, voxelBatch } from '../../src-main/training/trainer.ts'
import { completed } from './smallTraining.ts'

const home = mkdtempSync(join(tmpdir(), 'mindeye-snapshot-'))
beforeAll(() => loadBackend())
afterAll(() => rmSync(home, { recursive: true, force: true }))

const always = { intervalMs: 0, rest: 0 }
const [items, voxelCount, width, batchSize] = [12, 9, 6, 5]
const stimuli = Int32Array.from({ length: items }, (_, i) => 100 + i)
const sizes = { hidden: 8, blocks: 1, tokens: 1, width, projectorHidden: 8, batchSize, epochs: 4, mixShare: 0.5 }

function highLevel(options: TrainingOptions) {
  const config = completed({ ...sizes, ...options })
  const random = new Random(4)
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const parameters = new Parameters()
  const model = createHighLevel(parameters, config, voxelCount)
  parameters.initialise(random)
  const plan = new TrainingPlan(config, items, 1, random)
  const [voxels, embeddings] = [numbers(items * voxelCount), numbers(items * width)]
  const data = { items, repeats: 1, voxelCount, voxels, targets: fixedTargets(embeddings, width) }
  return { model, parameters, plan, data, trainer: new Trainer(model, parameters, plan, config, random) }
}

function lowLevel() {
  const config = completed({
    ...{ method: 'low-level', hidden: 16, blocks: 1, mapSide: 2, upsamplerWidth: 32 },
    ...{ features: 6, batchSize: 3, epochs: 2 },
  })
  const random = new Random(5)
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const parameters = new Parameters()
  const networkSizes = lowLevelSizes(config, voxelCount)
  const model = new LowLevelNetwork(parameters, networkSizes)
  parameters.initialise(random)
  const options = lowLevelOptions(config, 0.18215)
  const trainer = new LowLevelTrainer(model, parameters, new LowLevelPlan(options, 3, 1, random), options, random)
  const latent = latentSide(networkSizes) ** 2 * networkSizes.latent
  const tokens = numbers(12 * 6)
  const batch = () => ({ clean: tf.tensor2d(tokens, [12, 6]), augmented: tf.tensor2d(tokens, [12, 6]) })
  const data = {
    ...{ items: 3, repeats: 1, voxelCount, voxels: numbers(3 * voxelCount), contrast: { batch } },
    latents: fixedTargets(numbers(3 * latent), latent),
  }
  return { parameters, trainer, data, temperature: options.contrastTemperature }
}

/** A folder of a run. */
const folder = () => mkdtempSync(join(home, 'run-'))

function readBatch(run: string) {
  const file = openSafetensors(openFile(batchFile(run)))
  const arrays = new Map(file.arrays.map((array) => [array.name, array.read()]))
  file.close()
  const matrix = (name: string) => {
    const { shape, data } = arrays.get(name)!
    return Array.from({ length: shape[0] }, (_, row) =>
      Array.from(data.slice(row * shape[1], (row + 1) * shape[1]) as Float32Array),
    )
  }
  return {
    facts: JSON.parse(file.metadata.batch) as BatchFacts,
    similarity: matrix('similarity'),
    target: matrix('target'),
  }
}

const bits = (parameters: Parameters): string =>
  [...parameters]
    .flatMap((parameter) => (['value', 'm', 'v'] as const).map((kind) => [...parameter.download(kind)]))
    .map((arrays) =>
      arrays.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('hex')),
    )
    .join()

describe('snapshots of the batch', () => {
  it('change no bit of a training, mixed and soft, and leave no tensors', async () => {
    const course = async (snapshots?: BatchSnapshots) => {
      const { trainer, parameters, data } = highLevel({})
      const lines: number[][] = []
      await trainer.run(data, ({ loss, nce, mse }) => void lines.push([loss, nce, mse]), snapshots)
      const tensors = tf.memory().numTensors
      const trained = { lines, bits: bits(parameters) }
      parameters.dispose()
      return { trained, tensors }
    }
    const without = await course()
    const run = folder()
    const watched = await course(new BatchSnapshots(run, { fold: 0, stimuli }, always))
    expect(readBatch(run).facts).toMatchObject({ step: 7, loss: 'softclip' })
    expect(watched.trained).toEqual(without.trained)
    expect(watched.tensors).toBe(without.tensors)
  })

  it('change no bit of a low-level training', async () => {
    const course = async (snapshots?: BatchSnapshots) => {
      const { trainer, parameters, data } = lowLevel()
      await trainer.run(data, () => undefined, snapshots)
      return bits(parameters)
    }
    const without = await course()
    const run = folder()
    const options = { fold: 0, stimuli, places: 4, temperature: 0.075 }
    expect(await course(new BatchSnapshots(run, options, always))).toBe(without)
    expect(existsSync(batchFile(run))).toBe(true)
  })

  it.each(['mixco', 'mixup', 'none'] as const)('%s: the cosines and labels that the loss had', (mixing) => {
    const { model, parameters, plan, data, trainer } = highLevel({
      ...{ mixing, mixProbability: 1, dropoutFirst: 0, dropoutBlocks: 0 },
    })
    const step = plan.at(0)
    const brain = normaliseRows(
      model.brain.forward(tf.tensor2d(voxelBatch(data, step), [batchSize, voxelCount])).projected!,
    )
    const given = data.targets.batch(step.items, 0)
    const image = normaliseRows(mixing === 'mixup' ? mixRows(given, step.mixing!) : given)
    const expected = tf.matMul(brain, image, false, true).arraySync() as number[][]

    const run = folder()
    const snapshots = new BatchSnapshots(run, { fold: 3, stimuli }, always)
    const report = trainer.step(data, snapshots.watch())
    snapshots.save(0, report)
    parameters.dispose()
    const { facts, similarity, target } = readBatch(run)
    expect(facts).toMatchObject({ fold: 3, epoch: 0, step: 0, loss: 'bimixco', mixing, repeat: 0 })
    expect(facts.stimuli).toEqual([...step.items].map((item) => 100 + item))
    expect(facts.terms).toEqual({ loss: report.loss, nce: report.nce, mse: report.mse })
    expect(facts.temperature).toBe(0.006)
    similarity.forEach((row, i) => row.forEach((value, j) => expect(value).toBeCloseTo(expected[i][j], 4)))
    if (mixing === 'none') expect(facts).not.toHaveProperty('betas')
    else expect(facts.betas).toEqual([...step.mixing!.betas])
    for (let i = 0; i < batchSize; i++)
      for (let j = 0; j < batchSize; j++) {
        const { permutation, betas } = step.mixing ?? { permutation: [], betas: [] }
        const label =
          mixing !== 'mixco' ? Number(i === j) : j === permutation[i] ? 1 - betas[i] : i === j ? betas[i] : 0
        expect(target[i][j]).toBeCloseTo(label, 6)
      }
  })

  it('of SoftCLIP have the softmax of image–image similarities as labels', async () => {
    const { plan, data, trainer, parameters } = highLevel({ mixShare: 0 })
    const run = folder()
    await trainer.run(data, () => undefined, new BatchSnapshots(run, { fold: 0, stimuli }, always))
    const { facts, target } = readBatch(run)
    const { items: last, temperature } = plan.at(facts.step)
    const image = normaliseRows(data.targets.batch(last, 0))
    const expected = tf.softmax(tf.div(tf.matMul(image, image, false, true), temperature)).arraySync() as number[][]
    target.forEach((row, i) => row.forEach((label, j) => expect(label).toBeCloseTo(expected[i][j], 5)))
    parameters.dispose()
  })

  it('of a low-level training are means over the places of two pictures', () => {
    const { trainer, data, parameters, temperature } = lowLevel()
    const run = folder()
    const snapshots = new BatchSnapshots(run, { fold: 0, stimuli, places: 4, temperature }, always)
    let logits: number[][] = []
    const watch = snapshots.watch()!
    const report = trainer.step(data, (l, t) => {
      logits = l.arraySync()
      watch(l, t)
    })
    snapshots.save(0, report)
    const { facts, similarity, target } = readBatch(run)
    expect(facts).toMatchObject({ loss: 'soft-contrast', mixing: 'none', temperature: 0.075 })
    expect(facts.terms.contrast).toBe(report.contrast)
    const block = [4, 5, 6, 7].flatMap((row) => logits[row].slice(8, 12))
    expect(similarity[1][2]).toBeCloseTo((temperature * block.reduce((a, b) => a + b, 0)) / 16, 5)
    for (const row of target) expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5)
    parameters.dispose()
  })

  it('the labels that are watched are those of the loss', () => {
    const random = new Random(9)
    const rows = () =>
      normaliseRows(
        tf.tensor2d(
          Float32Array.from({ length: 24 }, () => random.normal()),
          [4, 6],
        ),
      )
    const [student, teacher, augmented] = [rows(), rows(), rows()]
    const labels: number[][][] = []
    softContrast(student, teacher, augmented, 0.1, (_, target) => void labels.push(target.arraySync()))
    const expected = tf.softmax(tf.div(tf.matMul(teacher, augmented, false, true), 0.1)).arraySync()
    expect(labels).toEqual([expected])
  })

  it('are rare, and a disk that refuses ends them alone', async () => {
    const run = folder()
    const rare = new BatchSnapshots(run, { fold: 0, stimuli })
    const { trainer, data, parameters } = highLevel({})
    await trainer.run(data, () => undefined, rare)
    expect(readBatch(run).facts.step).toBe(0) // the second one would be due two seconds later
    expect(rare.watch()).toBeUndefined()
    parameters.dispose()

    const again = highLevel({})
    let steps = 0
    const nowhere = new BatchSnapshots(join(run, 'missing'), { fold: 0, stimuli }, always)
    await again.trainer.run(again.data, () => void steps++, nowhere)
    expect(steps).toBe(8)
    expect(nowhere.watch()).toBeUndefined()
    again.parameters.dispose()
  })
})
