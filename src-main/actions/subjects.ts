import * as v from 'valibot'
import type { Check } from '../subjects/checks.ts'
import { readManifest, type SubjectManifest } from '../subjects/subject.ts'
import type { Workspace } from '../workspace/index.ts'
import { defineAction } from './action.ts'
import { formatTable } from './table.ts'

export interface ListedSubject {
  id: string
  /** Date of the import, ISO 8601. */
  added: string
  folder: string
  layout: string
  layoutTitle: string
  trials: number
  trainTrials: number
  testTrials: number
  images: number
  sessions: number
  voxels: number
  rois: number
  /** Surfaces of the cortex, and when they came; null for none. */
  surfaces: SubjectManifest['surfaces'] | null
  /** The split used unless another is asked for. */
  split: string
  /** Checks that did not hold at import. */
  warnings: Pick<Check, 'code' | 'title' | 'expected' | 'found' | 'detail'>[]
}

export const subjectsAction = defineAction({
  name: 'subjects',
  summary: 'List the imported subjects of a workspace with their counts and what to be careful about.',
  input: v.object({ workspace: v.pipe(v.string(), v.description('the workspace folder')) }),
  async run(ctx, input): Promise<{ subjects: ListedSubject[] }> {
    const workspace = await ctx.workspace(input.workspace)
    return { subjects: listSubjects(workspace) }
  },
  format: ({ subjects }) => {
    if (!subjects.length) return 'No subjects yet. Import one with `mindeye import`.'
    const rows = subjects.map((subject) => [
      subject.id,
      subject.layoutTitle,
      `${subject.trials}`,
      `${subject.trainTrials}`,
      `${subject.testTrials}`,
      `${subject.images}`,
      `${subject.sessions || '–'}`,
      `${subject.voxels}`,
      `${subject.rois || '–'}`,
      subject.split,
    ])
    const headers = ['SUBJECT', 'LAYOUT', 'TRIALS', 'TRAIN', 'TEST', 'IMAGES', 'SESSIONS', 'VOXELS', 'ROIS', 'SPLIT']
    const warnings = subjects.flatMap(({ id, warnings }) =>
      warnings.flatMap(({ title, expected, found, detail }) => [
        `warning ${id}: ${title}: expected ${expected}, found ${found}`,
        ...(detail ? [`        ${detail}`] : []),
      ]),
    )
    return [formatTable(headers, rows), ...(warnings.length ? ['', ...warnings] : [])].join('\n')
  },
})

/** The subjects with what a list tells of each. */
export function listSubjects(workspace: Workspace): ListedSubject[] {
  return workspace.subjects.list().map(({ id, added, folder }) => {
    const manifest = readManifest(folder)
    return {
      id,
      added,
      folder,
      layout: manifest.layout,
      layoutTitle: manifest.layoutTitle,
      trials: manifest.trialCount,
      trainTrials: manifest.trainTrials,
      testTrials: manifest.testTrials,
      images: manifest.stimulusCount,
      sessions: manifest.sessionCount,
      voxels: manifest.voxelCount,
      rois: manifest.rois.length,
      surfaces: manifest.surfaces ?? null,
      split: manifest.defaultSplit,
      warnings: manifest.checks
        .filter(({ ok, level }) => !ok && level === 'warning')
        .map(({ code, title, expected, found, detail }) => ({ code, title, expected, found, detail })),
    }
  })
}
