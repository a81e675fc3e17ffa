import * as v from 'valibot'
import { defineAction, type Action } from '../../src-main/actions/action.ts'
import { runJob } from '../../src-main/actions/job.ts'
import { formatError } from '../../src-main/base/errors.ts'
import { main } from '../../src-main/hosts/commandLine.ts'

/** The real command line over actions that do what a test asks for. */
const echo = defineAction({
  name: 'echo',
  summary: 'Give back the input.',
  input: v.object({
    paths: v.pipe(v.array(v.string()), v.minLength(1), v.description('files and folders')),
    workspace: v.optional(v.pipe(v.string(), v.description('the workspace folder'))),
    top: v.optional(v.pipe(v.array(v.pipe(v.number(), v.integer())), v.description('ranks')), [1, 3]),
    batchSize: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.description('trials per step')), 32),
    layout: v.optional(v.pipe(v.picklist(['webdataset', 'hdf5', 'nsd']), v.description('how to write it'))),
    dryRun: v.optional(v.pipe(v.boolean(), v.description('only say what would be done')), false),
    average: v.optional(v.pipe(v.boolean(), v.description('repeats are averaged')), true),
    set: v.optional(v.pipe(v.record(v.string(), v.unknown()), v.description('options'))),
    map: v.optional(v.pipe(v.array(v.string()), v.description('which array is what'))),
  }),
  positional: ['paths'],
  run: async (_, input) => input,
})

const wait = defineAction({
  name: 'wait',
  summary: 'Work until told to stop.',
  input: v.object({ workspace: v.string(), stubborn: v.optional(v.boolean(), false) }),
  async run(ctx, { workspace: path, stubborn }, options) {
    const workspace = await ctx.workspace(path, { create: true })
    const { id } = workspace.runs.create({ subject: 's1', preset: 'demo', config: { seed: 1 } })
    return runJob(workspace, { action: 'wait', input: {} }, options, async (job) => {
      job.claim(id)
      const { pid } = await ctx.engine().call('ping', {})
      ctx.log(`engine pid ${pid}`)
      for (let i = 0; ; i++) {
        job.options.progress({ phase: 'wait', done: i, total: 1000, values: { loss: 1 / (i + 1) } })
        if (!stubborn) options.signal.throwIfAborted()
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })
  },
})

const fail = defineAction({
  name: 'fail',
  summary: 'Fail in one of several ways.',
  input: v.object({ how: v.picklist(['format', 'bug', 'disk', 'unhealthy']) }),
  positional: ['how'],
  async run(ctx, { how }) {
    ctx.log('about to fail')
    if (how === 'format') throw formatError('x.npy', 'dtype', "'<f4'", "'<c8'", 'Save it as float32.')
    if (how === 'bug') throw new TypeError('x is undefined')
    if (how === 'disk') throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC', path: '/data/x' })
    return { healthy: false }
  },
  format: ({ healthy }) => (healthy ? 'well' : 'not well'),
  exitCode: ({ healthy }) => (healthy ? 0 : 1),
})

export const trialActions: readonly Action[] = [echo, wait, fail]

if (import.meta.main) process.exitCode = await main(trialActions, process.argv.slice(2))
