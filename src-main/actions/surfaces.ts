import * as v from 'valibot'
import { resolve } from 'node:path'
import type { Check } from '../subjects/checks.ts'
import type { StoredSurfaces } from '../subjects/surfaces/stored.ts'
import { describeChecks } from '../subjects/wording.ts'
import { defineAction, pathField } from './action.ts'

export interface AttachedSurfaces extends Pick<StoredSurfaces, 'source' | 'match'> {
  subject: string
  check: Check
}

/** Gives cortical surfaces to a subject that was imported without, or others in place of those it has. */
export const surfacesAction = defineAction({
  name: 'surfaces',
  summary: 'Attach cortical surfaces to a subject: a FreeSurfer subject folder, or GIFTI files.',
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    subject: v.pipe(v.string(), v.description('id of the subject')),
    paths: v.pipe(
      v.array(v.string()),
      v.minLength(1),
      v.description('FreeSurfer subject folder (surf, label), or GIFTI files of both hemispheres'),
      pathField(),
    ),
  }),
  positional: ['paths'],
  async run(ctx, input, { signal, progress }): Promise<AttachedSurfaces> {
    const workspace = await ctx.workspace(input.workspace)
    const { id, folder } = workspace.subjects.get(input.subject)
    const paths = input.paths.map((path) => resolve(path))
    const request = { subjectFolder: folder, paths }
    const { facts, check } = await ctx.reader().call('attachSurfaces', request, { signal, onProgress: progress })
    workspace.subjects.reconcile()
    return { subject: id, source: facts.source, match: facts.match, check }
  },
  format: ({ subject, check }) => [`surfaces attached to ${subject}`, ...describeChecks([check])].join('\n'),
})
