import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { NdArray } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { openWeights } from '../../src-main/formats/weights.ts'
import { fixtureBytes, fixturePath, messageOf, numbers, ruleValues } from './values.ts'

const folder = mkdtempSync(join(tmpdir(), 'weights-'))
afterAll(() => rmSync(folder, { recursive: true }))
const write = (name: string, content: Uint8Array | string) => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const shard = (value: number): NdArray => ({ dtype: 'float32', shape: [2], data: Float32Array.of(value, value) })
write('model-1-of-2.safetensors', encodeSafetensors({ a: shard(1), unlisted: shard(9) }, { format: 'pt' }))
write('model-2-of-2.safetensors', encodeSafetensors({ b: shard(2) }))
const index = (name: string, weight_map: unknown) => write(name, JSON.stringify({ metadata: {}, weight_map }, null, 2))

describe('openWeights', () => {
  it.each([
    ['all.safetensors', 'weights.bin', 'safetensors'],
    ['torch_zip64.pth', 'model.safetensors', 'torch'],
    ['torch_parts.pth', 'last.pth.tar', 'torch'],
    ['torch_script.pt', 'script', 'torch'],
  ])('%s is known by its content, whatever its name', (fixture, name, kind) => {
    copyFileSync(fixturePath(fixture), join(folder, name))
    const file = openWeights(join(folder, name))
    expect([file.kind, file.files]).toEqual([kind, [name]])
    expect(file.arrays.length).toBeGreaterThan(1)
    file.close()
  })

  it('metadata and the saved object come along', () => {
    expect(openWeights(fixturePath('all.safetensors')).metadata).toEqual({ note: 'ünïcode' })
    expect(openWeights(fixturePath('torch_bare.pth')).value).toMatchObject({ name: 'tensor' })
  })

  it('a model in shards has the tensors of its index', () => {
    const path = index('model.safetensors.index.json', { b: 'model-2-of-2.safetensors', a: 'model-1-of-2.safetensors' })
    const file = openWeights(path)
    expect(file.arrays.map((entry) => [entry.name, numbers(entry.read())])).toEqual([
      ['a', [1, 1]],
      ['b', [2, 2]],
    ])
    expect([file.metadata, file.files.length]).toEqual([{ format: 'pt' }, 2])
    file.close()
  })

  it('shards of PyTorch', () => {
    copyFileSync(fixturePath('torch_big_endian.pth'), join(folder, 'part.bin'))
    const file = openWeights(index('pytorch_model.bin.index.json', { w: 'part.bin', h: 'part.bin' }))
    expect(numbers(file.arrays[0].read())).toEqual(ruleValues('float32', [3, 5]))
    file.close()
  })

  it.each([
    ['shards that are not there', { a: 'no-1.bin', b: 'no-2.bin' }, 'that no-1.bin, no-2.bin are missing'],
    ['a tensor that its shard has not', { c: 'model-2-of-2.safetensors' }, 'c in model-2-of-2.safetensors'],
    ['a shard elsewhere', { a: '../a.bin' }, 'the name of a file beside the index'],
    ['a shard that is no name', { a: 3 }, 'the name of a file beside the index'],
    ['itself as a shard', { a: 'bad.json' }, 'a file of weights'],
    ['no map', undefined, 'the shard of each tensor'],
  ])('an index with %s', (_, map, message) => {
    const error = messageOf(() => openWeights(index('bad.json', map)))
    expect(error).toContain('MindEyeError')
    expect(error).toContain(message)
  })

  it('other files and folders are told as such', () => {
    expect(messageOf(() => openWeights(fixturePath('npy_u1.npy')))).toContain('the bytes 934e554d')
    expect(messageOf(() => openWeights(write('empty', '')))).toContain('an empty file')
    expect(messageOf(() => openWeights(write('config.json', '{"a": ')))).toContain(
      'config.json, content: expected JSON',
    )
    expect(messageOf(() => openWeights(folder))).toContain('a folder')
    expect(messageOf(() => openWeights(write('cut', fixtureBytes('all.safetensors').subarray(0, 99))))).toContain(
      'header',
    )
  })
})
