import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { toFloat32 } from '../../src-main/formats/elements.ts'
import { Inert } from '../../src-main/formats/inert.ts'
import type { TorchValue } from '../../src-main/formats/torchTree.ts'
import { openWeights } from '../../src-main/formats/weights.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

const root = join(process.env.MINDEYE_FIXTURES ?? 'tests/fixtures', 'checkpoints')
const open = (name: string, file: unknown) => openWeights(join(root, name, file as string))

/** What stands under a path of keys of dictionaries. */
function under(value: TorchValue | undefined, ...keys: string[]): TorchValue | undefined {
  return keys.reduce((inner, key) => (inner instanceof Map ? inner.get(key) : undefined), value)
}

/** Dictionaries as objects, for comparison with JSON. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof Map ? Object.fromEntries([...value].map(([key, item]) => [key, plain(item)])) : value
}

describe('a last.pth as the official training saves it', () => {
  const cases = fixtureCases('checkpoints', (name) => name.startsWith('last'))
  it.each(cases)('$name', ({ name, config, tensors, tolerances }) => {
    const file = open(name, config.file)
    const named = new Map(file.arrays.map((entry) => [entry.name, entry]))
    const modelNames = file.arrays.map((entry) => entry.name).filter((key) => key.startsWith('model_state_dict.'))
    expect(modelNames).toEqual((config.model_keys as string[]).map((key) => `model_state_dict.${key}`))
    for (const [key, expected] of tensors) {
      const entry = named.get(
        key.replace(/^model\./, 'model_state_dict.').replace(/^optimizer\./, 'optimizer_state_dict.state.'),
      )
      expect(entry?.shape, key).toEqual(expected.shape)
      expectClose(toFloat32(entry!.read()), expected.data, tolerances, key)
    }
    for (const key of ['epoch', 'train_losses', 'val_losses', 'lrs'])
      expect(plain(under(file.value, key)), key).toEqual(config[key])
    expect(plain(under(file.value, 'optimizer_state_dict', 'param_groups'))).toEqual(config.optimizer_groups)
    expect(under(file.value, 'lr_scheduler', 'last_epoch')).toBe(config.lr_scheduler_last_epoch)
    file.close()
  })

  it.each(cases)('$name: what is no tensor stays inert', ({ name, config }) => {
    const file = open(name, config.file)
    const scheduler = under(file.value, 'lr_scheduler')
    const inert = [...(scheduler as Map<TorchValue, TorchValue>).values()].filter((value) => value instanceof Inert)
    const isMethod = (config.pickle_globals as string[]).includes('__builtin__ getattr')
    expect(inert.map(({ is, className }) => [is, className])).toEqual(
      isMethod ? [['attribute', 'torch.optim.lr_scheduler.OneCycleLR._annealing_cos']] : [],
    )
    file.close()
  })
})

describe('tensors of every type and layout', () => {
  it.each(fixtureCases('checkpoints', (name) => name.startsWith('dtypes')))('$name', ({ name, config, tensors }) => {
    const file = open(name, config.file)
    const types = config.dtypes as Record<string, string>
    expect(Object.fromEntries(file.arrays.map((entry) => [entry.name, entry.dtype]))).toEqual(
      Object.fromEntries(Object.entries(types).map(([key, type]) => [`tensors.${key}`, type])),
    )
    for (const entry of file.arrays) {
      const expected = tensors.get(entry.name.slice('tensors.'.length))
      if (!expected) {
        expect(entry.shape).toContain(0)
        continue
      }
      expect(entry.shape, entry.name).toEqual(expected.shape)
      expect([...toFloat32(entry.read())], entry.name).toEqual([...expected.data])
      const width = entry.shape.length ? expected.data.length / entry.shape[0] : 0
      for (let row = 0; row < (entry.shape[0] ?? 0); row++)
        expect([...toFloat32(entry.readRows(row, row + 1))], `${entry.name}, row ${row}`).toEqual([
          ...expected.data.subarray(row * width, (row + 1) * width),
        ])
    }
    expect(plain(under(file.value, 'nested'))).toEqual(config.nested)
    expect(under(file.value, 'big')).toBe(config.big)
    file.close()
  })
})

describe('malicious, truncated and other files are refused', () => {
  const { config } = JSON.parse(readFileSync(join(root, 'refused', 'case.json'), 'utf8')) as {
    config: { files: Record<string, string> }
  }
  it.each(Object.entries(config.files))('%s', (file, what) => {
    let error: unknown
    try {
      open('refused', file)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(MindEyeError)
    const { kind, where, found } = (error as MindEyeError).parts
    expect(kind).toBe('format')
    expect(where).toContain(file)
    if (what.includes('without running')) expect(found).toMatch(/^a call of [\w.]+/)
  })
})
