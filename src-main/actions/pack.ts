import * as v from 'valibot'
import { basename, resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import type { PackReport, PartReport } from '../models/pack.ts'
import type { PackRecord } from '../workspace/index.ts'
import { defineAction, pathField } from './action.ts'
import { formatTable } from './table.ts'

export type PackResult =
  | { packs: PackRecord[] }
  | { pack: PackRecord; report?: PackReport; changed?: boolean; problem?: string }
  | { removed: string }
  | { report: PackReport }

const isFilled = (value: string | undefined) => value !== undefined

/** Registers folders of pretrained networks in a workspace, and says what is in one. */
export const packAction = defineAction({
  name: 'pack',
  summary: 'Register folders of pretrained image networks (add, list, show, remove), or say what is in one (verify).',
  input: v.pipe(
    v.object({
      do: v.pipe(v.picklist(['add', 'list', 'show', 'remove', 'verify']), v.description('what to do')),
      target: v.optional(
        v.pipe(
          v.string(),
          v.description('the folder, for add and verify; the id, for show and remove'),
          pathField('id'),
        ),
      ),
      workspace: v.optional(v.pipe(v.string(), v.description('the workspace folder; not needed for verify'))),
      id: v.optional(v.pipe(v.string(), v.description('id under which to add it (default: the name of its folder)'))),
    }),
    v.forward(
      v.check(
        (input) => input.do === 'list' || isFilled(input.target),
        'a folder for add and verify, an id for the rest',
      ),
      ['target'],
    ),
    v.forward(
      v.check((input) => input.do === 'verify' || isFilled(input.workspace), 'the workspace folder'),
      ['workspace'],
    ),
  ),
  positional: ['do', 'target'],
  async run(ctx, { do: what, target = '', workspace: path = '', id }, { signal }): Promise<PackResult> {
    const read = (folder: string) => ctx.reader().call('verifyPack', { folder: resolve(folder) }, { signal })
    if (what === 'verify') return { report: await read(target) }
    if (what === 'add') {
      const report = await read(target)
      refuseBroken(report)
      const workspace = await ctx.workspace(path, { create: true })
      const parts = report.parts.filter(({ state }) => state === 'ready').map(({ part }) => part)
      const { folder, fingerprint } = report
      return { pack: workspace.packs.add(id ?? idFrom(folder), { folder, fingerprint, parts }), report }
    }
    const { packs } = await ctx.workspace(path)
    if (what === 'list') return { packs: packs.list() }
    if (what === 'remove') {
      packs.remove(target)
      return { removed: target }
    }
    const pack = packs.get(target)
    try {
      const report = await read(pack.folder)
      return { pack, report, changed: report.fingerprint !== pack.fingerprint }
    } catch (error) {
      // A pack on a disk that is not there now is still a pack of the workspace.
      if (error instanceof MindEyeError && error.parts.kind === 'input') return { pack, problem: error.message }
      throw error
    }
  },
  format(result) {
    if ('packs' in result) return formatPacks(result.packs)
    if ('removed' in result) return `removed ${result.removed}; its files stay where they are`
    if (!('pack' in result)) return formatReport(result.report)
    const { pack, report, changed, problem } = result
    return [
      `${pack.id}  ${pack.folder}  added ${pack.added.slice(0, 10)}`,
      ...(changed ? ['It has changed since it was added: remove it and add it again.'] : []),
      ...(problem ? [`warning: ${problem}`] : []),
      ...(report ? ['', formatReport(report)] : []),
    ].join('\n')
  },
  exitCode: (result) => ('report' in result && result.report?.parts.some(({ state }) => state === 'broken') ? 1 : 0),
})

const idFrom = (folder: string): string =>
  basename(folder)
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')

function refuseBroken({ folder, parts }: PackReport): void {
  const broken = parts.filter(({ state }) => state === 'broken')
  if (!broken.length) return
  throw new MindEyeError({
    kind: 'format',
    where: folder,
    expected: 'parts that are whole',
    found: broken.map(({ part, faults }) => `${part}: ${shortened(faults, 2).join('; ')}`).join('. '),
    fix: 'Replace what is broken or take it out of the folder; `mindeye pack verify FOLDER` says more.',
  })
}

const shortened = (items: readonly string[], most: number): string[] =>
  items.length > most ? [...items.slice(0, most), `… and ${items.length - most} more`] : [...items]

function formatPacks(packs: readonly PackRecord[]): string {
  const rows = packs.map(({ id, added, parts, folder }) => [id, added.slice(0, 10), `${parts.length}`, folder])
  return formatTable(['PACK', 'ADDED', 'PARTS', 'FOLDER'], rows)
}

const sizeText = (bytes: number): string => {
  const [unit, name] = bytes >= 1e8 ? [1e9, 'GB'] : bytes >= 1e5 ? [1e6, 'MB'] : [1e3, 'kB']
  return `${(bytes / unit).toFixed(unit === 1e9 ? 2 : 1)} ${name}`
}

const sizeOf = ({ files }: PartReport): number => files.reduce((sum, { bytes }) => sum + bytes, 0)

/** A table of what is there, then per part its faults or what it would be for. */
function formatReport({ folder, parts }: PackReport): string {
  const present = parts.filter(({ state }) => state !== 'missing')
  const rows = present.map((part) => [
    part.part,
    part.state,
    part.parameters ? part.parameters.toLocaleString('en') : '–',
    sizeText(sizeOf(part)),
    part.memory ? sizeText(part.memory) : '–',
    part.use,
  ])
  const memory = present.map((part) => part.memory)
  const works = present.flatMap(({ part, work }) => (work ? [`${part} ${work}`] : []))
  return [
    `pack ${folder}`,
    formatTable(['PART', 'STATE', 'PARAMETERS', 'ON DISK', 'MEMORY', 'FOR'], rows),
    '',
    `MEMORY: weights in float32, and activations for ${works.join(', ') || 'one item'}.`,
    `One part at a time takes at most ${sizeText(Math.max(0, ...memory))}, all at once ${sizeText(memory.reduce((sum, bytes) => sum + bytes, 0))}: of the graphics card where there is`,
    'one, else of the main memory; the engine itself takes 0.45 GB of the main memory beside it.',
    ...present.flatMap(({ part, files }) => files.map(({ name, bytes }) => `  ${part}: ${name}, ${sizeText(bytes)}`)),
    ...present.flatMap(({ part, faults }) => shortened(faults, 10).map((fault) => `broken ${part}: ${fault}`)),
    ...parts
      .filter(({ state }) => state === 'missing')
      .map(({ place, title, use, source }) => `missing ${place}: ${title} (${use}); from ${source}`),
  ].join('\n')
}
