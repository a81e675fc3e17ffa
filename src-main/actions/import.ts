import * as v from 'valibot'
import { resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import type { Check } from '../subjects/checks.ts'
import { parseMapping } from '../subjects/mapping.ts'
import { count, describeChecks } from '../subjects/wording.ts'
import type { Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { defineAction } from './action.ts'
import { datasetEntries } from './inspect.ts'
import { runJob } from './job.ts'

export interface Imported {
  subject: string
  checks: Check[]
}

export const importAction = defineAction({
  name: 'import',
  summary: 'Import a dataset as a subject of the workspace, after its checks.',
  ownJob: true,
  input: v.object({
    ...datasetEntries,
    workspace: v.pipe(v.string(), v.description('the workspace folder; made when it does not exist')),
    as: v.optional(v.pipe(v.string(), v.description('id of the subject (default: what the files suggest)'))),
  }),
  positional: ['paths'],
  async run(ctx, input, options): Promise<Imported> {
    const workspace = await ctx.workspace(input.workspace, { create: true })
    const { paths, as, map } = input
    const job = { action: 'import', input: { paths, ...(as !== undefined && { as }) } }
    return runJob(workspace, job, options, ({ options }) => importDataset(ctx, workspace, { paths, as, map }, options))
  },
  format: ({ subject, checks }) => {
    const open = checks.filter((check) => !check.ok && check.level === 'warning').length
    return `imported ${subject}${open ? `, with ${count(open, 'warning')}` : ''}`
  },
})

/** Imports files as the subject `as`, or as what they suggest. A check of level `error` that does not hold rejects, and nothing is kept. */
export async function importDataset(
  ctx: ActionContext,
  workspace: Workspace,
  { paths, as, map }: { paths: string[]; as?: string; map?: string[] },
  { signal, progress }: RunOptions,
): Promise<Imported> {
  const request = { paths: paths.map((path) => resolve(path)), map: parseMapping(map ?? []) }
  const reader = ctx.reader()
  const id = as ?? (await reader.call('recognise', request, { signal })).name
  const staging = workspace.subjects.stage(id)
  try {
    const { checks, manifest } = await reader.call(
      'importStudy',
      { ...request, id, folder: staging.folder },
      { signal, onProgress: progress },
    )
    for (const line of describeChecks(checks)) ctx.log(line)
    const failed = checks.filter((check) => check.level === 'error' && !check.ok)
    if (!manifest)
      throw new MindEyeError({
        kind: 'input',
        where: paths.join(', '),
        expected: failed.map((check) => check.expected).join('; '),
        found: failed.map((check) => check.found).join('; '),
        fix: 'Nothing was imported.',
      })
    staging.commit()
    return { subject: id, checks }
  } catch (error) {
    staging.discard()
    throw error
  }
}
