import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { Held } from './thousandSteps.ts'

const child = fileURLToPath(new URL('thousandSteps.ts', import.meta.url))

it.each(['voxel2clip', 'voxel2clip with its prior'])(
  '1,000 training steps of %s hold no more than the first 200',
  async (network) => {
    const args = ['--expose-gc', '--max-semi-space-size=1', child, network]
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } })
    const held = stdout.trim().split('\n').map((line) => JSON.parse(line) as Held) // prettier-ignore
    expect(held.map(({ steps }) => steps)).toEqual([200, 400, 600, 800, 1000])
    const [early] = held
    expect(held.map(({ tensors }) => tensors)).toEqual(held.map(() => early.tensors))
    expect(held.at(-1)!.resident - early.resident).toBeLessThan(10)
  },
)
