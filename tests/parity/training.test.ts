import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { BrainNetwork } from '../../src-main/models/brainNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { biMixCo, mixVoxels, normaliseRows } from '../../src-main/training/losses.ts'
import { mixingEpochs, TrainingPlan } from '../../src-main/training/plan.ts'
import { batchOf, decays } from '../../src-main/training/trainer.ts'
import type { FixtureCase } from '../support/fixtures.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import { loadWeights } from '../support/parameters.ts'

beforeAll(() => loadBackend())

interface Config {
  total_steps: number
  steps_per_epoch: number
  mixco_epochs: number
  brain: { V: number; h: number; blocks: number; tokens: number; dim: number }
  items: number
  batch: number
  epochs: number
  mixup_pct: number
  max_lr: number
  pct_start: number
  groups: string[][]
}

const column = ({ tensors }: FixtureCase, name: string, step: number): Float32Array => {
  const { shape, data } = tensors.get(`step.${name}`)!
  const width = shape.slice(1).reduce((a, b) => a * b, 1)
  return data.slice(step * width, (step + 1) * width)
}

const planOf = (config: Config) =>
  new TrainingPlan(
    {
      batchSize: config.batch,
      epochs: config.epochs,
      maxLr: config.max_lr,
      warmUp: config.pct_start,
      mixing: 'mixco',
      mixShare: config.mixup_pct,
      mixBeta: 0.15,
      mixProbability: 0.5,
      mixTemperature: 0.006,
      softTemperatureStart: 0.004,
      softTemperatureEnd: 0.0075,
    },
    config.items,
    3,
    new Random(1),
  )

describe('the course of a training equals the original loop', () => {
  it.each(fixtureCases('training'))('$name: order, repeats, phases, lr and β1', (fixture) => {
    const config = fixture.config as unknown as Config
    const { schedule_rtol } = fixture.tolerances
    const plan = planOf(config)
    expect([plan.stepsPerEpoch, plan.totalSteps]).toEqual([config.steps_per_epoch, config.total_steps])
    expect(mixingEpochs({ epochs: config.epochs, mixShare: config.mixup_pct })).toBe(config.mixco_epochs)

    /** Both orders show every example at most once per epoch, in full batches; ours is another permutation. */
    const seen = { ours: new Map<number, Set<number>>(), recorded: new Map<number, Set<number>>() }
    for (let step = 0; step < plan.totalSteps; step++) {
      const ours = plan.at(step)
      expect(ours.repeat, `repeat of step ${step}`).toBe(column(fixture, 'repeat', step)[0])
      expectClose([ours.lr], column(fixture, 'lr', step), { atol: 0, rtol: schedule_rtol }, `lr of step ${step}`)
      expectClose([ours.beta1], column(fixture, 'beta1', step), { atol: 0, rtol: schedule_rtol }, `β1 of step ${step}`)
      expectClose(
        [ours.temperature],
        column(fixture, 'temp', step),
        { atol: 0, rtol: schedule_rtol },
        `τ of step ${step}`,
      )
      expect(ours.phase).toBe(ours.epoch < config.mixco_epochs ? 'bimixco' : 'softclip')
      expect(ours.mixing !== undefined).toBe(ours.phase === 'bimixco')
      for (const [which, items] of [
        ['ours', ours.items],
        ['recorded', column(fixture, 'order', step)],
      ] as const) {
        const epoch = seen[which].get(ours.epoch) ?? new Set<number>()
        seen[which].set(ours.epoch, epoch)
        expect(items.length).toBe(config.batch)
        for (const item of items) {
          expect(epoch.has(item), `${which}: item ${item} twice in epoch ${ours.epoch}`).toBe(false)
          expect(item).toBeLessThan(config.items)
          epoch.add(item)
        }
      }
    }
  })

  it.each(fixtureCases('training'))('$name: mixing and the first contrastive loss', (fixture) => {
    const config = fixture.config as unknown as Config
    const { V, h, blocks, tokens, dim } = config.brain
    const [voxels, targets] = ['voxels', 'targets'].map((name) => fixture.tensors.get(name)!.data)
    const mixing = { permutation: Int32Array.from(column(fixture, 'perm', 0)), betas: column(fixture, 'betas', 0) }
    const items = Int32Array.from(column(fixture, 'order', 0))
    const data = { items: config.items, repeats: 3, voxelCount: V, voxels, targets }
    const chosen = { items, repeat: column(fixture, 'repeat', 0)[0], mixing }
    const batch = batchOf(data, chosen)
    expect(batch.voxels).toEqual(mixVoxels(batchOf(data, { ...chosen, mixing: undefined }).voxels, mixing))

    const parameters = new Parameters()
    const sizes = { voxels: V, hidden: h, blocks, tokens, width: dim, projectorHidden: 2048, dropout: [0, 0] as const }
    const model = new BrainNetwork(parameters, sizes)
    const own = [...fixture.weights].filter(([name]) => name.startsWith('voxel2clip.'))
    loadWeights(parameters, new Map(own.map(([name, tensor]) => [name.slice('voxel2clip.'.length), tensor])))
    const { projected } = model.forward(tf.tensor2d(batch.voxels, [items.length, V]))
    const image = normaliseRows(tf.tensor2d(batch.targets, [items.length, tokens * dim]))
    const loss = biMixCo(normaliseRows(projected!), image, column(fixture, 'temp', 0)[0], mixing)
    const { loss_rtol } = fixture.tolerances
    expectClose(loss.dataSync(), column(fixture, 'loss_nce', 0), { atol: 0, rtol: loss_rtol }, 'loss_nce')
    parameters.dispose()
  })

  it.each(fixtureCases('training'))('$name: decay groups by name', (fixture) => {
    const { groups } = fixture.config as unknown as Config
    for (const [index, names] of groups.entries())
      for (const name of names) expect(decays(name), name).toBe(index % 2 === 0)
  })
})
