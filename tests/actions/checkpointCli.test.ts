import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { elementCount, type NdArray } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import type { CheckpointInspection, CheckpointVerdict } from '../../src-main/training/published/report.ts'
import type { Conversion } from '../../src-main/training/published/convert.ts'
import { ask, mindeye, refusal } from './realCli.ts'

const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'))
afterAll(() => rmSync(folder, { recursive: true }))
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/checkpoints/${name}`, import.meta.url))

describe('mindeye checkpoint', () => {
  it('inspects', async () => {
    const found = await ask<CheckpointInspection>('checkpoint', 'inspect', fixture('last_zip/last.pth'))
    expect(found).toMatchObject({ kind: 'high-level', format: 'torch', epoch: 2, tensors: 49, bytes: 78393 })
    const { code, out } = await mindeye('checkpoint', 'inspect', fixture('last_legacy/last.pth'))
    expect(code).toBe(0)
    for (const line of [
      'the high-level decoder: voxel2clip with the diffusion prior',
      'under model_state_dict',
      'epoch: 2',
      'not made, kept inert: lr_scheduler.anneal_func (torch.optim.lr_scheduler.OneCycleLR._annealing_cos)',
    ])
      expect(out).toContain(line)
  })

  it('converts, and verifies what it wrote', async () => {
    const out = join(folder, 'subj01')
    const done = await ask<Conversion>('checkpoint', 'convert', fixture('last_legacy/last.pth'), '--out', out)
    expect(done).toMatchObject({
      weights: join(out, 'model.safetensors'),
      config: join(out, 'config.json'),
      leftOut: 105,
    })
    expect(JSON.parse(readFileSync(done.config, 'utf8'))).toMatchObject({ kind: 'high-level', voxels: 11, epoch: 2 })
    const verdict = await ask<CheckpointVerdict>('checkpoint', 'verify', done.weights)
    expect(verdict).toMatchObject({ ok: true, missing: [], extra: [], misshaped: [], notFinite: [] })
    const half = join(folder, 'half.safetensors')
    await ask('checkpoint', 'convert', done.weights, '--dtype', 'float16', '--out', half)
    expect(await ask<CheckpointInspection>('checkpoint', 'inspect', half)).toMatchObject({ dtypes: { float16: 49 } })
    expect(await refusal('checkpoint', 'convert', done.weights, '--out', half)).toMatchObject({
      code: 1,
      where: '--out',
    })
  })

  it('ends with 1 when something is wrong, and says what', async () => {
    const of = (shape: number[], ...numbers: number[]): NdArray => ({
      ...{ dtype: 'float32', shape },
      data: Float32Array.from({ length: elementCount(shape) }, (_, i) => numbers[i] ?? 0),
    })
    const damaged = join(folder, 'damaged.safetensors')
    const tensors = {
      'lin0.0.weight': of([3, 5]),
      'lin0.0.bias': of([4]),
      'lin0.1.weight': of([3], NaN, Infinity),
      'lin1.weight': of([8, 3]),
      'lin1.bias': of([8]),
      other: of([2]),
    }
    writeFileSync(damaged, encodeSafetensors(tensors))
    const { code, out } = await mindeye('checkpoint', 'verify', damaged)
    expect(code).toBe(1)
    expect(out.trimEnd().split('\n')).toEqual([
      'voxel2clip, without the diffusion prior',
      '4 problems',
      'missing: lin0.1.bias [3]',
      'misshaped: lin0.0.bias is [4] instead of [3]',
      'extra: other [2]',
      'not finite: lin0.1.weight has 1 NaN and 1 infinite numbers',
    ])
    const unknown = await mindeye('checkpoint', 'verify', fixture('dtypes_zip/dtypes.pth'))
    expect(unknown.code).toBe(1)
    expect(unknown.out).toContain('not compared: no network is known')
  })

  it.each(['malicious_zip.pth', 'malicious_eval.pth', 'malicious_getattr.pth', 'malicious_legacy.pth'])(
    'refuses %s and runs nothing of it',
    async (name) => {
      for (const what of ['inspect', 'convert']) {
        const { code, out, err } = await mindeye(
          'checkpoint',
          what,
          fixture(`refused/${name}`),
          '--out',
          join(folder, name),
        )
        expect(code).toBe(1)
        expect(err).toMatch(/found a call of [\w.]+\n/)
        expect(out + err).not.toContain('fixture-was-executed')
      }
      expect(existsSync(join(folder, name))).toBe(false)
    },
  )

  it('tells a wrong command', async () => {
    expect(await refusal('checkpoint', 'look', 'file')).toMatchObject({ code: 2, where: 'DO' })
    expect(await refusal('checkpoint', 'inspect')).toMatchObject({ code: 2, where: 'FILE' })
    expect(await refusal('checkpoint', 'inspect', join(folder, 'none.pth'))).toMatchObject({ code: 1, kind: 'state' })
  })
})
