import * as v from 'valibot'
import type { Json, RunRecord, Workspace } from '../workspace/index.ts'
import { isResumable } from '../workspace/records.ts'
import { defineAction, pathField } from './action.ts'
import { resumeCommand } from './finishedRun.ts'
import type { ImportedRun } from './importRun.ts'
import { importRun } from './importRun.ts'
import { formatTable } from './table.ts'

interface ListedRun extends RunRecord {
  folder: string
  /** The command that goes on with a run that ended early. */
  resume?: string
}

export type RunsResult = { runs: ListedRun[] } | { run: ListedRun } | { deleted: string } | ImportedRun

/** Lists the trainings of a workspace, shows one, deletes one, or takes in a model that was trained elsewhere. */
export const runs = defineAction({
  name: 'runs',
  summary: 'List the trainings of a workspace, show or delete one, or import a model that was trained elsewhere.',
  ownJob: true,
  input: v.pipe(
    v.object({
      workspace: v.pipe(v.string(), v.description('the workspace folder')),
      do: v.optional(v.pipe(v.picklist(['list', 'show', 'delete', 'import']), v.description('what to do')), 'list'),
      run: v.optional(
        v.pipe(
          v.string(),
          v.description('which run, for show and delete; the checkpoint file, for import'),
          pathField('id'),
        ),
      ),
      subject: v.optional(v.pipe(v.string(), v.description('import: id of the subject whose voxels it decodes'))),
      pack: v.optional(
        v.pipe(v.string(), v.description('import: id of the pack with CLIP’s image tower; needed for scores')),
      ),
      zscore: v.optional(
        v.pipe(
          v.picklist(['none', 'train', 'session']),
          v.description(
            'import: how its voxels were z-scored; none when the imported data are z-scored as those it was trained on',
          ),
        ),
        'none',
      ),
    }),
    v.forward(
      v.check((input) => input.do === 'list' || input.run !== undefined, 'the id of a run, or a file to import'),
      ['run'],
    ),
    v.forward(
      v.check((input) => input.do !== 'import' || input.subject !== undefined, 'the id of a subject'),
      ['subject'],
    ),
  ),
  positional: ['do', 'run'],
  async run(ctx, { workspace: path, do: what, run, subject, pack, zscore }, options): Promise<RunsResult> {
    const workspace = await ctx.workspace(path)
    if (what === 'import') {
      const request = { file: run!, subject: subject!, pack, zscore }
      return importRun(ctx, workspace, request, options)
    }
    if (what === 'list') return { runs: workspace.runs.list().map((record) => listed(workspace, record)) }
    const record = workspace.runs.get(run!)
    if (what === 'show') return { run: listed(workspace, record) }
    workspace.runs.delete(record.id)
    return { deleted: record.id }
  },
  format(result) {
    if ('deleted' in result) return `deleted ${result.deleted}`
    if ('embedded' in result) return formatImport(result)
    if ('run' in result) return formatRun(result.run)
    if (!result.runs.length) return 'No runs yet. Train one with `mindeye train`.'
    const rows = result.runs.map((run) => [run.id, run.state, run.subject, run.preset, localTime(run.created)])
    const table = formatTable(['RUN', 'STATE', 'SUBJECT', 'PRESET', 'STARTED'], rows)
    const hints = result.runs.flatMap((run) => (run.resume ? [`resume with: ${run.resume}`] : []))
    return [table, ...(hints.length ? ['', ...hints.slice(0, 3)] : [])].join('\n')
  },
})

function formatImport({ run, title, parameters, epoch, embedded }: ImportedRun): string {
  return [
    `imported ${run}: ${title}, ${parameters.toLocaleString('en')} parameters${epoch === undefined ? '' : `, epoch ${epoch}`}`,
    embedded
      ? `${embedded} held-out trials are embedded; score it with \`mindeye evaluate --run ${run}\``
      : 'It has no scores: they need a pack with CLIP’s image tower (--pack).',
  ].join('\n')
}

function listed(workspace: Workspace, run: RunRecord): ListedRun {
  const resume = isResumable(run.state) ? resumeCommand(workspace, run.id) : undefined
  return { ...run, folder: workspace.runs.folderOf(run.id), resume }
}

function formatRun(run: ListedRun): string {
  const lines = [
    ['run', run.id],
    ['state', run.state],
    ['subject', run.subject],
    ['preset', run.preset],
    ['started', localTime(run.created)],
    ...(run.finished ? [['finished', localTime(run.finished)]] : []),
    ['folder', run.folder],
    ...flatten('config', run.config),
    ...flatten('summary', run.summary),
    ...(run.error ? [['error', `expected ${run.error.expected}, found ${run.error.found}`]] : []),
    ...(run.resume ? [['resume with', run.resume]] : []),
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

/** `{ a: { b: 1 } }` → `[['config.a.b', '1']]`. */
function flatten(name: string, value: Json): string[][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).flatMap(([key, inner]) => flatten(`${name}.${key}`, inner))
  return [[name, typeof value === 'string' ? value : JSON.stringify(value)]]
}

/** `2026-11-23 17:42`. */
function localTime(iso: string): string {
  return new Date(iso).toLocaleString('sv-SE').slice(0, 16)
}
