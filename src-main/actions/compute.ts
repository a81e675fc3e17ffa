import * as v from 'valibot'
import { availableParallelism, totalmem } from 'node:os'
import { MindEyeError } from '../base/errors.ts'
import { listDevices, type Device } from '../engine/devices.ts'
import { readSettings, writeSettings, type Settings } from '../workspace/settings.ts'
import { defineAction } from './action.ts'
import { formatTable } from './table.ts'

export interface Compute {
  settings: Settings
  devices: Device[]
  /** Of this machine, bytes. */
  memory: { total: number; free: number }
  /** Processor cores that one operation can use. */
  cores: number
}

export const computeAction = defineAction({
  name: 'compute',
  summary:
    'Tell what can compute here, and choose what computes for a workspace: a graphics card, the processor, threads.',
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    device: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^(auto|cpu|\d+)$/, 'auto, cpu or the number of a graphics card'),
        v.description('auto (a card when there is one), cpu, or the number of a graphics card'),
      ),
    ),
    threads: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(0),
        v.description('threads inside one operation; 0 leaves it to TensorFlow'),
      ),
    ),
  }),
  async run(ctx, { workspace: path, device, threads }): Promise<Compute> {
    const workspace = await ctx.workspace(path, { create: true })
    const devices = await listDevices()
    if (device !== undefined && device !== 'auto' && !devices.some(({ id }) => id === device))
      throw new MindEyeError({
        kind: 'input',
        where: '--device',
        expected: `one of auto, ${devices.map(({ id }) => id).join(', ')}`,
        found: `'${device}'`,
        fix: 'The driver reports no such card: `mindeye doctor` says what it sees.',
      })
    const before = readSettings(workspace.path)
    const settings = { device: device ?? before.device, threads: threads ?? before.threads }
    if (device !== undefined || threads !== undefined) writeSettings(workspace.path, settings)
    const total = Math.min(process.constrainedMemory() || totalmem(), totalmem())
    return { settings, devices, memory: { total, free: process.availableMemory() }, cores: availableParallelism() }
  },
  format: ({ settings, devices, memory, cores }) => {
    const giga = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
    const rows = devices.map(({ id, name, memory: own }) => [
      id,
      name,
      own
        ? `${giga(own.free)} of ${giga(own.total)} free`
        : `${giga(memory.free)} of ${giga(memory.total)} free, ${cores} cores`,
    ])
    const threads = settings.threads ? `${settings.threads} threads` : 'as many threads as TensorFlow likes'
    return `${formatTable(['DEVICE', 'NAME', 'MEMORY'], rows)}\n\ncomputes on: ${settings.device}, ${threads}`
  },
})
