import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { BrainNetwork } from '../../src-main/models/brainNetwork.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { biMixCo, mixVoxels, normaliseRows } from '../../src-main/training/losses.ts'
import { parseTraining } from '../../src-main/training/fields.ts'
import type { TrainingOptions } from '../../src-main/training/fields.ts'
import { createHighLevel } from '../../src-main/training/highLevel.ts'
import type { Plan } from '../../src-main/training/plan.ts'
import { mixingEpochs, TrainingPlan } from '../../src-main/training/plan.ts'
import { fixedTargets } from '../../src-main/training/targets.ts'
import { decays, Trainer, voxelBatch } from '../../src-main/training/trainer.ts'
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
  net: { depth: number; heads: number; dim_head: number }
  prior_mult: number
  weight_decay: number
  groups: string[][]
}

const column = ({ tensors }: FixtureCase, name: string, step: number): Float32Array => {
  const { shape, data } = tensors.get(`step.${name}`)!
  const width = shape.slice(1).reduce((a, b) => a * b, 1)
  return data.slice(step * width, (step + 1) * width)
}

const trainingConfig = (options: TrainingOptions) => {
  const parsed = parseTraining(options)
  if (!parsed.success) throw new Error(parsed.issues[0].message)
  return parsed.output
}

/** The recorded draws of every step in place of our own. */
function recordedPlan(fixture: FixtureCase, config: Config): Plan {
  const numbers = (name: string, step: number) => column(fixture, name, step)
  return {
    totalSteps: config.total_steps,
    at(step) {
      const epoch = Math.floor(step / config.steps_per_epoch)
      const isMixed = epoch < config.mixco_epochs
      return {
        epoch,
        stepInEpoch: step % config.steps_per_epoch,
        items: Int32Array.from(numbers('order', step)),
        repeat: numbers('repeat', step)[0],
        phase: isMixed ? 'bimixco' : 'softclip',
        mixing: isMixed
          ? { permutation: Int32Array.from(numbers('perm', step)), betas: numbers('betas', step) }
          : undefined,
        temperature: numbers('temp', step)[0],
        lr: numbers('lr', step)[0],
        beta1: numbers('beta1', step)[0],
      }
    },
    prior: (step, shape) => ({
      times: Int32Array.from(numbers('t', step)),
      noise: tf.tensor3d(numbers('noise', step), [...shape]),
      keepBrain: numbers('keep_brain', step),
      keepImage: numbers('keep_image', step),
    }),
  }
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
      conditionDrop: 0.2,
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
    const data = { repeats: 3, voxelCount: V, voxels }
    const chosen = { items, repeat: column(fixture, 'repeat', 0)[0], mixing }
    const batch = voxelBatch(data, chosen)
    expect(batch).toEqual(mixVoxels(voxelBatch(data, { ...chosen, mixing: undefined }), mixing))

    const parameters = new Parameters()
    const sizes = { voxels: V, hidden: h, blocks, tokens, width: dim, projectorHidden: 2048, dropout: [0, 0] as const }
    const model = new BrainNetwork(parameters, sizes)
    const own = [...fixture.weights].filter(([name]) => name.startsWith('voxel2clip.'))
    loadWeights(parameters, new Map(own.map(([name, tensor]) => [name.slice('voxel2clip.'.length), tensor])))
    const { projected } = model.forward(tf.tensor2d(batch, [items.length, V]))
    const image = normaliseRows(fixedTargets(targets, tokens * dim).batch(items, 0))
    const loss = biMixCo(normaliseRows(projected!), image, column(fixture, 'temp', 0)[0], mixing)
    const { loss_rtol } = fixture.tolerances
    expectClose(loss.dataSync(), column(fixture, 'loss_nce', 0), { atol: 0, rtol: loss_rtol }, 'loss_nce')
    parameters.dispose()
  })

  it.each(fixtureCases('training'))(
    '$name: every loss and the weights at the end',
    (fixture) => {
      const config = fixture.config as unknown as Config
      const { V, h, blocks, tokens, dim } = config.brain
      const { loss_rtol, final_weights_atol, movement_rel_l2 } = fixture.tolerances
      const training = trainingConfig({
        hidden: h,
        blocks,
        tokens,
        width: dim,
        dropoutFirst: 0,
        dropoutBlocks: 0,
        prior: true,
        priorDepth: config.net.depth,
        priorHeads: config.net.heads,
        priorHeadDim: config.net.dim_head,
        priorWeight: config.prior_mult,
        weightDecay: config.weight_decay,
      })
      const parameters = new Parameters()
      const model = createHighLevel(parameters, training, V)
      loadWeights(parameters, fixture.weights)
      const targets = fixedTargets(fixture.tensors.get('targets')!.data, tokens * dim)
      const data = {
        items: config.items,
        repeats: 3,
        voxelCount: V,
        voxels: fixture.tensors.get('voxels')!.data,
        targets,
      }
      const trainer = new Trainer(model, parameters, recordedPlan(fixture, config), training, new Random(1))
      for (let step = 0; step < config.total_steps; step++) {
        const { loss, nce, prior } = trainer.step(data)
        // The tolerance is of the whole loss; its terms are held to the same share of it, as they count in it.
        const [whole] = column(fixture, 'loss', step)
        const terms = { loss, loss_nce: nce, loss_prior: prior! }
        for (const [name, value] of Object.entries(terms)) {
          const weight = name === 'loss_prior' ? config.prior_mult : 1
          const allowed = { atol: (loss_rtol * Math.abs(whole)) / weight, rtol: 0 }
          expectClose([value], column(fixture, name, step), allowed, `${name} of step ${step}`)
        }
      }

      const length = (of: (i: number) => number, count: number) =>
        Math.sqrt(Array.from({ length: count }, (_, i) => of(i) ** 2).reduce((a, b) => a + b, 0))
      let compared = 0
      for (const parameter of parameters) {
        const key = `final.${parameter.name}`
        const whole = fixture.tensors.get(key)
        const expected = (whole ?? fixture.tensors.get(`${key}#first16`))?.data
        if (!expected) continue
        compared++
        const stored = Float32Array.from([...parameter.download('value')].flatMap((part) => [...part]))
        const ours = stored.map((x) => x * parameter.scale).subarray(0, expected.length)
        expectClose(ours, expected, { atol: final_weights_atol, rtol: 0 }, key)
        const start = fixture.weights.get(parameter.name)?.data
        if (!whole || !start || !parameter.trained) continue
        const moved = length((i) => expected[i] - start[i], expected.length)
        const off = length((i) => ours[i] - expected[i], expected.length)
        expect(off, `movement of ${key}, ${moved} in all`).toBeLessThanOrEqual(movement_rel_l2 * moved + 1e-9)
      }
      expect(compared).toBeGreaterThanOrEqual([...fixture.weights].length)
      parameters.dispose()
    },
    600_000,
  ) // the plain backend takes a second per step

  it.each(fixtureCases('training'))('$name: decay groups by name', (fixture) => {
    const { groups } = fixture.config as unknown as Config
    for (const [index, names] of groups.entries())
      for (const name of names) expect(decays(name), name).toBe(index % 2 === 0)
  })
})
