import { pageWidth } from '../../figures/document.ts'
import type { FigureDocument, Panel, PanelOf } from '../../figures/document.ts'
import { journalPreset } from '../../figures/presets.ts'
import type { JournalPreset, PresetId } from '../../figures/presets.ts'
import { MindEyeError } from '../../base/errors.ts'
import { listSets } from '../../reconstruction/sets.ts'
import { readManifest } from '../../subjects/subject.ts'
import type { RunRecord, Workspace } from '../../workspace/index.ts'
import { finishedRun } from '../finishedRun.ts'
import { runConfig } from '../train.ts'

/** Pages that a run can be put on at once. */
export const templateNames = [
  'overview',
  'retrieval',
  'reconstruction',
  'metrics',
  'methods',
  'cortex',
  'insights',
] as const
export type TemplateName = (typeof templateNames)[number]

export interface TemplateOptions {
  run?: string
  preset: PresetId
  /** Name of one of the preset's widths (default: the widest that it has). */
  width?: string
}

/** Pages narrower than this, in mm, are columns of text: charts stand below one another. */
const NARROW = 110

/** A page of one of the templates. Throws an input or state error where the run or an experiment is missing. */
export function templatePage(workspace: Workspace, name: TemplateName, options: TemplateOptions): FigureDocument {
  const { preset } = options
  const { widths }: JournalPreset = journalPreset(preset)
  const widest = widths.reduce((best, one) => (one.mm > best.mm ? one : best))
  const width = options.width ?? widest.name
  const page = (title: string, panels: Panel[]): FigureDocument => ({ version: 1, title, preset, width, panels })
  const across = pageWidth({ preset, width })
  const isNarrow = across < NARROW
  if (name === 'insights') return page('What the experiments show', insightPanels(workspace))

  if (options.run === undefined)
    throw new MindEyeError({ kind: 'input', where: 'run', expected: `the id of a run for ${name}`, found: 'none' })
  const run = finishedRun(workspace, options.run)
  const source = { run: run.id }
  if (name === 'cortex') {
    const { noiseCeiling } = readManifest(workspace.subjects.get(run.subject).folder)
    const { subject } = run
    const ceiling: Panel[] = noiseCeiling
      ? [
          {
            id: 'ceiling',
            kind: 'cortex',
            source: { subject, map: 'noise-ceiling' },
            columns: 12,
            title: 'Noise ceiling',
          },
        ]
      : []
    return page(`Cortex, ${subject}`, [
      ...ceiling,
      {
        id: 'weights',
        kind: 'cortex',
        source: { subject, map: 'weights', run: run.id },
        columns: 12,
        title: 'Decoder weights',
      },
    ])
  }
  if (name === 'methods')
    return page(`Methods compared, ${run.subject}`, [
      { id: 'comparison', kind: 'comparison', source: { runs: comparableRuns(workspace, run) }, columns: 12 },
    ])
  if (name === 'retrieval')
    return page(`Retrieval, ${run.subject}`, [
      { id: 'retrieval', kind: 'retrieval', source: { ...source, show: 12 }, columns: 12 },
    ])
  if (name === 'reconstruction')
    return page(`Reconstructions, ${run.subject}`, [
      { id: 'reconstruction', kind: 'reconstruction', source: { ...source, show: 16 }, columns: 12 },
    ])
  if (name === 'metrics')
    return page(`Scores, ${run.subject}`, [
      { id: 'scores', kind: 'scores', source, columns: isNarrow ? 12 : 7 },
      { id: 'ranks', kind: 'ranks', source, columns: isNarrow ? 12 : 5 },
    ])
  const hasPictures = listSets(workspace.runs.folderOf(run.id)).some(({ trials }) => trials.length)
  return page(`Decoding overview, ${run.subject}`, overviewPanels(run.id, hasPictures, preset, across))
}

/** The whole story of a run: what was seen and reconstructed, what is retrieved, how well, and how it was trained. */
function overviewPanels(run: string, hasPictures: boolean, preset: PresetId, across: number): Panel[] {
  const [titleOfPictures, titleOfRetrieval] = ['Seen and reconstructed', 'Retrieved images']
  const [half, small] = across < NARROW ? [12, 6] : [6, 3]
  const charts: Panel[] = [
    { id: 'scores', kind: 'scores', source: { run }, columns: half, title: 'Scores' },
    { id: 'ranks', kind: 'ranks', source: { run }, columns: small, title: 'Seen image’s rank' },
    { id: 'training', kind: 'training', source: { run }, columns: small, title: 'Training' },
  ]
  const pictures = (source: PanelOf<'reconstruction'>['source'], columns: number): Panel[] =>
    hasPictures ? [{ id: 'reconstruction', kind: 'reconstruction', source, columns, title: titleOfPictures }] : []
  const retrieval = (source: PanelOf<'retrieval'>['source'], columns: number): Panel => ({
    ...{ id: 'retrieval', kind: 'retrieval', source, columns, title: titleOfRetrieval },
  })
  if (preset === 'slide')
    return [...pictures({ run, show: 5, rows: ['combined'] }, 6), retrieval({ run, show: 2, top: 3 }, 6), ...charts]
  // As many as stand in one row at 14 mm.
  const shown = Math.min(10, Math.floor((across - 15) / 14))
  return [...pictures({ run, show: shown }, 12), retrieval({ run, show: across < 160 ? 3 : 6 }, 12), ...charts]
}

/** The newest finished run of every preset on the same subject and split, this one first. Throws a state error for it alone. */
function comparableRuns(workspace: Workspace, run: RunRecord): string[] {
  const { split } = runConfig(run)
  const others = workspace.runs
    .list()
    .filter(({ state, subject }) => state === 'done' && subject === run.subject)
    .filter((other) => other.preset !== run.preset && runConfig(other).split === split)
  const newest = [...Map.groupBy(others, ({ preset }) => preset).values()].map(([first]) => first.id)
  if (newest.length) return [run.id, ...newest]
  throw new MindEyeError({
    kind: 'state',
    where: run.id,
    expected: `another finished run of ${run.subject} with split ${split}, of another preset`,
    found: 'none',
    fix: 'Train one to compare with, e.g. `--preset ridge`.',
  })
}

/** The newest finished job of each experiment. */
function insightPanels(workspace: Workspace): Panel[] {
  const jobs = workspace.jobs.list(1000).filter(({ action, state }) => action === 'experiment' && state === 'done')
  const newest = [...Map.groupBy(jobs, ({ input }) => `${input.name as string}`)].map(
    ([name, same]) => [name, same.reduce((a, b) => (a.id > b.id ? a : b))] as const,
  )
  if (newest.length)
    return newest.map(([name, { id }]) => ({
      id: `insights-${name}`,
      kind: 'insights',
      source: { job: id },
      columns: newest.length > 1 ? 6 : 12,
      title: name,
    }))
  throw new MindEyeError({
    kind: 'state',
    where: workspace.path,
    expected: 'a finished experiment',
    found: 'none',
    fix: 'Make one with `mindeye experiment`.',
  })
}
