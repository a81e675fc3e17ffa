import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { Held } from './thousandSteps.ts'

const child = fileURLToPath(new URL('thousandSteps.ts', import.meta.url))

// One arena and no threads of V8's: what they take and give back now and then would look like growth.
const flags = ['--expose-gc', '--single-threaded', '--max-semi-space-size=1']
const quiet = { GLIBC_TUNABLES: 'glibc.malloc.arena_max=1', TF_NUM_INTRAOP_THREADS: '1', NODE_OPTIONS: '' }

it.each(['voxel2clip', 'voxel2clip with its prior'])(
  'over 1,000 training steps of %s tensors and memory stay what they were',
  async (network) => {
    const env = { ...process.env, ...quiet }
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, child, network], { env })
    const held = stdout.trim().split('\n').map((line) => JSON.parse(line) as Held) // prettier-ignore
    expect(held.map(({ steps }) => steps)).toEqual([200, 400, 600, 800, 1000])
    expect(held.map(({ tensors }) => tensors)).toEqual(held.map(() => held[0].tensors))
    // A leak takes some in every 200 steps, here 10 KB a step; the allocator takes its own in jumps, now and then 30 MB of them.
    const grown = held.slice(2).map(({ resident }, i) => resident - held[i + 1].resident)
    expect(Math.min(...grown)).toBeLessThan(2)
  },
)
