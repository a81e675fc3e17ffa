import { describe, expect, it } from 'vitest'
import { cosineSchedule, ddimTimes, type PriorSchedule } from '../../src-main/diffusion/priorSchedule.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'

interface Config {
  timesteps: number
  ddim_timesteps: number
  ddim_times: number[]
}

describe('The schedule of the diffusion prior equals the original', () => {
  it.each(fixtureCases('diffusion_prior'))('$name', ({ config, tensors, tolerances }) => {
    const { timesteps, ddim_timesteps, ddim_times } = config as unknown as Config
    const schedule = cosineSchedule(timesteps)
    const recorded = [...tensors.keys()].filter((name) => name.startsWith('buffers.'))
    expect(Object.keys(schedule).sort()).toEqual(recorded.map((name) => name.slice('buffers.'.length)).sort())
    for (const name of recorded)
      expectClose(
        schedule[name.slice('buffers.'.length) as keyof PriorSchedule],
        tensors.get(name)!.data,
        tolerances,
        name,
      )
    expect(ddimTimes(ddim_timesteps, timesteps)).toEqual(ddim_times)
  })
})
