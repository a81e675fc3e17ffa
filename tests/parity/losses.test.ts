import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { cosineAnneal } from '../../src-main/nn/schedule.ts'
import type { Mixing } from '../../src-main/training/losses.ts'
import { biMixCo, mixVoxels, normaliseRows, softClip, softContrast } from '../../src-main/training/losses.ts'
import type { FixtureCase } from '../support/fixtures.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const mixingOf = ({ tensors }: FixtureCase): Mixing => ({
  permutation: Int32Array.from(tensors.get('perm')!.data),
  betas: tensors.get('betas')!.data,
})
const named = (...names: string[]) =>
  fixtureCases('losses').filter(({ config }) => names.includes(config.loss_name as string))

describe('contrastive losses equal the original', () => {
  it.each(named('bimixco', 'bimixco_no_mix', 'softclip'))('$name', (fixture) => {
    const { config, tensors, tolerances } = fixture
    const temperature = config.temp as number
    const tensor = (name: string) => tf.tensor(tensors.get(name)!.data, tensors.get(name)!.shape)
    const image = normaliseRows(tensor('targets'))
    const loss = (brain: tf.Tensor2D) =>
      config.loss_name === 'softclip'
        ? softClip(brain, image, temperature)
        : biMixCo(brain, image, temperature, config.loss_name === 'bimixco' ? mixingOf(fixture) : undefined)

    const preds = tensor('preds')
    const raw = tf.valueAndGrad((x: tf.Tensor) => loss(normaliseRows(x)))(preds)
    expectClose(raw.value.dataSync(), tensors.get('loss')!.data, tolerances, 'loss')
    expectClose(raw.grad.dataSync(), tensors.get('grads.preds')!.data, tolerances, 'grads.preds')
    const normalised = tf.grad((x: tf.Tensor) => loss(x as tf.Tensor2D))(normaliseRows(preds))
    expectClose(
      normalised.dataSync(),
      tensors.get('grads.preds_normalized')!.data,
      tolerances,
      'grads.preds_normalized',
    )
  })
})

describe('the low-level contrastive loss equals the original', () => {
  it.each(named('soft_cont'))('$name', ({ config, tensors, tolerances }) => {
    const tensor = (name: string) => tf.tensor(tensors.get(name)!.data, tensors.get(name)!.shape)
    const [teacher, augmented] = ['teacher', 'teacher_aug'].map((name) => normaliseRows(tensor(name)))
    const loss = (student: tf.Tensor2D) => softContrast(student, teacher, augmented, config.temp as number)
    const preds = tensor('preds')
    const raw = tf.valueAndGrad((x: tf.Tensor) => loss(normaliseRows(x)))(preds)
    expectClose(raw.value.dataSync(), tensors.get('loss')!.data, tolerances, 'loss')
    expectClose(raw.grad.dataSync(), tensors.get('grads.preds')!.data, tolerances, 'grads.preds')
    const normalised = tf.grad((x: tf.Tensor) => loss(x as tf.Tensor2D))(normaliseRows(preds))
    const recorded = tensors.get('grads.preds_normalized')!.data
    expectClose(normalised.dataSync(), recorded, tolerances, 'grads.preds_normalized')
  })
})

describe('mixing and annealing equal the original', () => {
  it.each(named('mixco'))('$name', (fixture) => {
    const { tensors, tolerances } = fixture
    const mixed = mixVoxels(tensors.get('voxels')!.data, mixingOf(fixture))
    expectClose(mixed, tensors.get('mixed')!.data, tolerances, 'mixed')
  })

  it.each(named('cosine_anneal'))('$name', ({ config, tensors, tolerances }) => {
    const { start, end, steps } = config as { start: number; end: number; steps: number }
    const values = tensors.get('values')!.data
    expect(values.length).toBe(steps)
    expectClose(cosineAnneal(start, end, steps), values, tolerances, 'values')
  })
})
