import * as v from 'valibot'
import { resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import type { Check } from '../subjects/checks.ts'
import { parseMapping } from '../subjects/mapping.ts'
import { count, describeChecks } from '../subjects/wording.ts'
import { defineAction } from './action.ts'
import { datasetEntries } from './inspect.ts'

export interface Imported {
  subject: string
  checks: Check[]
}

export const importAction = defineAction({
  name: 'import',
  summary: 'Import a dataset as a subject of the workspace, after its checks.',
  input: v.object({
    ...datasetEntries,
    workspace: v.pipe(v.string(), v.description('the workspace folder; made when it does not exist')),
    as: v.optional(v.pipe(v.string(), v.description('id of the subject (default: what the files suggest)'))),
  }),
  positional: ['paths'],
  async run(ctx, input, { signal, progress }): Promise<Imported> {
    const request = { paths: input.paths.map((path) => resolve(path)), map: parseMapping(input.map ?? []) }
    const reader = ctx.reader()
    const id = input.as ?? (await reader.call('recognise', request, { signal })).name
    const workspace = await ctx.workspace(input.workspace, { create: true })
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
          where: input.paths.join(', '),
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
  },
  format: ({ subject, checks }) => {
    const open = checks.filter((check) => !check.ok && check.level === 'warning').length
    return `imported ${subject}${open ? `, with ${count(open, 'warning')}` : ''}`
  },
})
